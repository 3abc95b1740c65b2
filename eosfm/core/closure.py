"""Which files of the project decide a script's result: its imports, functions' own included.

DVC does not follow imports. The pipeline's deps are compared with this by a test, and what names a
resumable run is a hash of it.
"""

import ast
import hashlib
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parents[1].name

NAMED = re.compile(rf"{PACKAGE}(\.\w+)+")

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
"""What decides no result: the package's face, the reading of params.yaml (its values are params of
the stages), how a stage starts, ends and is metered, and the tables that import a file by name."""


def closure(*starts: Path, named: bool = False) -> list[Path]:
    """The project's files that scripts or modules run, themselves included, sorted.

    Imports for type checkers alone, files with nothing but a docstring, and :data:`FREE` are left
    out; what is free is not followed either.

    Args:
        *starts: The scripts or modules.
        named: Whether to follow also what they name as text (:func:`eosfm.core.named.named`), as
            kinds name their losses: who asks a kind for its labels alone does not run these.
    """
    seen: set[Path] = set()
    todo = [start.resolve() for start in starts]
    while todo:
        file = todo.pop()
        if file not in seen and file.relative_to(ROOT).as_posix() not in FREE:
            seen.add(file)
            todo += _imports(file)
            if named:
                todo += _texts(file)
    return sorted(file for file in seen if _has_code(file))


def code_hash(*starts: Path) -> str:
    """SHA-256 of the names and contents of :func:`closure`, with what is named as text."""
    digest = hashlib.sha256()
    for file in closure(*starts, named=True):
        digest.update(file.relative_to(ROOT).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@cache
def _imports(file: Path) -> frozenset[Path]:
    """Files of the project that one imports, wherever in it, and their packages."""
    found: set[Path] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            if parts[0] == PACKAGE:
                parents = (parts[:end] for end in range(1, len(parts) + 1))
                found.update(file for parent in parents if (file := _module(parent)))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text()))
    return frozenset(found)


@cache
def _texts(file: Path) -> frozenset[Path]:
    """Files of the project that one names as text: ``"eosfm.heads.losses.LOSSES"``."""
    texts = [
        node.value.split(".")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and NAMED.fullmatch(node.value)
    ]
    parents = (parts[:end] for parts in texts for end in range(1, len(parts) + 1))
    return frozenset(path for parent in parents if (path := _module(parent)))


def _module(parts: list[str]) -> Path | None:
    path = ROOT.joinpath(*parts)
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@cache
def _has_code(file: Path) -> bool:
    body = ast.parse(file.read_text()).body
    return any(not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)) for n in body)
