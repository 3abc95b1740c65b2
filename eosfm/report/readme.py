"""Puts the results' tables into the README: ``python -m eosfm.report.readme``."""

from pathlib import Path

from eosfm.errors import EosfmError, run
from eosfm.params import Params, load_params
from eosfm.report.collect import Results, collect
from eosfm.report.tables import energy_table, markdown, scores_table, specialists_table

BEGIN = "<!-- results: written by `python -m eosfm.report.readme` -->"
END = "<!-- end of results -->"


def results_section(params: Params, results: Results) -> str:
    """The tables in the order in which a reader asks for them."""
    return "\n\n".join(
        [
            markdown(scores_table(params, results)),
            "Specialists, on their validation splits (trivial: majority class or mean value):",
            markdown(specialists_table(params, results)),
            "What these results took (CodeCarbon; estimated where power cannot be read):",
            markdown(energy_table(results)),
        ]
    )


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
    run(main)
