"""Puts the results' tables into the README: ``eosfm readme``.

``--check`` says before a commit whether README.md and metrics.json come from one run.
"""

from collections.abc import Mapping

from eosfm.core.errors import EosfmError

BEGIN = "<!-- results: written by `eosfm readme` -->"
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
        section, name, *rest = key.split(".")
        is_task = section == "score" and name != "mean" and not rest
        if is_task and f" {value:.3f} " not in rows.get(name, ""):
            stale.append(name)
    return stale
