"""Puts the results' tables into the README: ``python -m eosfm.report.readme``."""

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


def main() -> None:
    """Rewrite the results in README.md."""
    params = load_params()
    path = Path("README.md")
    section = results_section(params, collect(params, Path("results")))
    path.write_text(replace_section(path.read_text(), section))


if __name__ == "__main__":
    from eosfm.cli import run

    run(main)
