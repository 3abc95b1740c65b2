"""Project files that a script's result depends on: its imports, also those inside functions.

DVC does not follow imports. A test compares the pipeline's deps with these files, and their hash is
part of what identifies a resumable run.
"""

import ast
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parents[1].name

NAMED = re.compile(rf"""["']({PACKAGE}(?:\.\w+)+)["']""")
"""An object named as text."""

FREE = frozenset(
    {
        "eosfm/__init__.py",
        "eosfm/cli.py",
        "eosfm/fields.py",
        "eosfm/params.py",
        "eosfm/recipes.py",
        "eosfm/schema.py",
        "eosfm/tracking.py",
        "eosfm/datasets/__init__.py",
        "eosfm/simulation/recipes/__init__.py",
    }
)
"""Files that no result depends on: the public interface, the reading of params.yaml (its values are
params of the stages), code that starts, ends and meters stages, and tables that import by name."""


def closure(*starts: Path, named: bool = False) -> list[Path]:
    """The project's files that scripts or modules run, themselves included, sorted.

    Imports for type checkers alone, files with nothing but a docstring, and :data:`FREE` are left
    out; what is free is not followed either.

    Args:
        *starts: The scripts or modules.
        named: Whether to follow objects named as text too (:func:`eosfm.core.named.named`), such
            as a kind's losses; code that only needs a kind's labels does not run them.
    """
    seen: set[Path] = set()
    todo = [start.resolve() for start in starts]
    while todo:
        file = todo.pop()
        if file not in seen and file.relative_to(ROOT).as_posix() not in FREE:
            seen.add(file)
            todo += _parsed(file).imports
            if named:
                todo += _parsed(file).texts
    return sorted(file for file in seen if _parsed(file).has_code)


def code_hash(*starts: Path) -> str:
    """SHA-256 of the names and contents of :func:`closure`, with what is named as text."""
    digest = hashlib.sha256()
    for file in closure(*starts, named=True):
        digest.update(file.relative_to(ROOT).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class _File:
    """What one file says of others, read and parsed once.

    Attributes:
        imports: Files of the project that it imports, wherever in it, and their packages.
        texts: Files that it names as text: ``"eosfm.heads.losses.LOSSES"``.
        has_code: Whether there is more in it than a docstring.
    """

    imports: frozenset[Path]
    texts: frozenset[Path]
    has_code: bool


@cache
def _parsed(file: Path) -> _File:
    imported: set[str] = set()

    def visit(node: ast.AST) -> None:
        """Statements alone, as no expression imports: half the time."""
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            for name in ("body", "orelse", "handlers", "finalbody", "cases"):
                for child in getattr(node, name, ()):
                    visit(child)

    text = file.read_text()
    tree = ast.parse(text)
    visit(tree)
    has_code = any(
        not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)) for n in tree.body
    )
    return _File(_files(imported), _files(set(NAMED.findall(text))), has_code)


def _files(names: set[str]) -> frozenset[Path]:
    """The project's files among dotted names, and their packages."""
    parts = (tuple(name.split(".")) for name in names)
    parents = {one[:end] for one in parts if one[0] == PACKAGE for end in range(1, len(one) + 1)}
    return frozenset(file for parent in parents if (file := _module(parent)))


@cache
def _module(parts: tuple[str, ...]) -> Path | None:
    path = ROOT.joinpath(*parts)
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)
