"""The rooms of eosfm are those of docs/layout.md, and import downwards alone."""

import ast
import re
from pathlib import Path

from eosfm.core.closure import ROOT

IMPORTED = re.compile(r"^ *(?:from|import) eosfm(?:\.| import )(\w+)", re.MULTILINE)
"""The room that a line imports from."""


def test_rooms_import_only_rooms_above_them():
    table = (ROOT / "docs/layout.md").read_text().partition("## Rooms")[2].partition("\n## ")[0]
    order = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    rooms = {path.name for path in (ROOT / "eosfm").iterdir() if (path / "__init__.py").exists()}
    assert set(order) == rooms | {"model"}
    for room in order:
        for file in (ROOT / "eosfm").glob(f"{room}/**/*.py" if room in rooms else f"{room}.py"):
            below = order[order.index(room) + 1 :]
            assert not set(IMPORTED.findall(code(file))) & set(below), file


def code(file: Path) -> str:
    """A module without docstrings and without what is imported for type checkers alone."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    return ast.unparse(tree)
