"""Write metrics.json, and the tables and figures of the results."""

from pathlib import Path

import eosfm.cli
from eosfm.params import load_params
from eosfm.report import write_report


def main() -> None:
    """Make metrics.json and results/plots."""
    print(
        write_report(
            load_params(),
            results=Path("results"),
            metrics=Path("metrics.json"),
        )
    )


if __name__ == "__main__":
    eosfm.cli.run(main)
