"""Puts the results' tables into the README: ``python -m eosfm.report.readme``.

``--check`` says before a commit whether README.md and metrics.json come from one run.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.params import load_params
from eosfm.report.results import collect
from eosfm.report.tables import results_section

BEGIN = "<!-- results: written by `python -m eosfm.report.readme` -->"
END = "<!-- end of results -->"


def replace_section(text: str, section: str) -> str:
    """The README with what stands between the two marks replaced.

    Raises:
        EosfmError: A mark is missing.
    """
    if BEGIN not in text or END not in text:
        raise EosfmError(f"README.md lacks {BEGIN!r} or {END!r}; put both marks back")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n\n{section}\n\n{END}{after}"


def stale_scores(text: str, metrics: Mapping[str, float]) -> list[str]:
    """The tasks whose score in the README's table is not the one in the metrics."""
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines()}
    stale = []
    for key, value in metrics.items():
        name = key.removeprefix("score.")
        if name not in (key, "mean") and f" {value:.3f} " not in rows.get(name, ""):
            stale.append(name)
    return stale


def main(check: bool = False) -> None:
    """Rewrite the results in README.md, or only check them against metrics.json."""
    path = Path("README.md")
    if check:
        stale = stale_scores(path.read_text(), json.loads(Path("metrics.json").read_text()))
        if stale:
            raise EosfmError(
                f"README.md shows other scores than metrics.json for {', '.join(stale)}; run "
                "`python -m eosfm.report.readme`"
            )
        return
    params = load_params()
    section = results_section(params, collect(params, Path("results")))
    path.write_text(replace_section(path.read_text(), section))


if __name__ == "__main__":
    from eosfm.cli import run

    run(main)
