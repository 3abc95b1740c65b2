"""The page of error lines: which lines it has, and which of them a line is."""

import re
from functools import cache

from eosfm.core.closure import ROOT

PAGE = ROOT / "docs/when-things-go-wrong.md"
ANYTHING = re.compile(r"\.\.\.(?!\.)")
"""What stands for the values in a line."""
HOLE = "(.*)"


@cache
def rows() -> tuple[str, ...]:
    """The lines of the page that are ours, with holes."""
    ours = PAGE.read_text().partition("## DVC")[0]
    return tuple(re.findall(r"^\| `(.*?)` \|", ours, re.MULTILINE))


def pieces(row: str) -> list[str]:
    """What stands between the holes of a row."""
    return ANYTHING.split(row)


def fits(row: str, text: str) -> bool:
    """Whether a row is the text, whole."""
    return re.fullmatch(HOLE.join(map(re.escape, pieces(row))), text, re.DOTALL) is not None


def rows_of(line: str) -> list[str]:
    """The rows that a line is of; a row shows a part of it."""
    return [row for row in rows() if fits(f"...{row}...".replace("......", "..."), line)]
