"""Draw the analyses."""

from pathlib import Path

import eosfm.cli
from eosfm.params import load_params
from eosfm.report.analyses import write_analyses


def main() -> None:
    """Make analyses/plots."""
    summary = write_analyses(
        load_params(),
        analyses=Path("analyses/results/analyse"),
        train=Path("results/train"),
        out=Path("analyses/plots"),
    )
    print(f"analyses: {summary}")


if __name__ == "__main__":
    eosfm.cli.run(main)
