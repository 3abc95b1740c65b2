"""Puts the results into the pages that show them: ``eosfm readme``.

``--check`` says before a commit whether they and metrics.json come from one run.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path

from eosfm.core.errors import EosfmError

README, PAGE = Path("README.md"), Path("docs/results.md")
"""Where the answer stands, and where every table does."""

BEGIN = "<!-- results: written by `eosfm readme` -->"
NUMBER = re.compile(r"-?\d+\.\d+")
SHOWN = 1.001e-3
"""Tolerance of a score on a page: its rounding, plus float error."""
PRECISION = 1e-4
"""Relative: metrics are rounded to five digits."""

END = "<!-- end of results -->"


def replace_section(path: Path, section: str) -> str:
    """A page with what stands between the two marks replaced.

    Raises:
        EosfmError: A mark is missing.
    """
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise EosfmError(f"{path} lacks {BEGIN!r} or {END!r}; put both marks back")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n\n{section}\n\n{END}{after}"


def stale_scores(page: str, metrics: Mapping[str, float]) -> list[str]:
    """The scores in the metrics that a page's table does not show: tasks, and the mean.

    Args:
        page: What has a row for each of them that it shows, the score in the first cell with a
            number.
        metrics: Of metrics.json.
    """
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    shown: dict[str, float] = {}
    for first, *cells in rows:
        words = [cell.split()[0].strip("*") for cell in cells if cell.strip()]
        if number := next(filter(NUMBER.fullmatch, words), None):
            # The first row of a name: a specialist may be called as a task is.
            shown.setdefault(first.strip("*"), float(number))
    scores = {
        key.removeprefix("score."): value
        for key, value in metrics.items()
        if key.startswith("score.") and key.count(".") == 1
    }
    return [
        name
        for name, value in scores.items()
        if not abs(shown.get(name, math.nan) - value) <= SHOWN / 2 + abs(value) * PRECISION
    ]
