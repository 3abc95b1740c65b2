"""The curves that DVCLive logged in a stage."""

import csv
from pathlib import Path


def read_curve(folder: Path, metric: str) -> dict[int, float]:
    """Values by step; none of what was not logged.

    Args:
        folder: A stage's results, such as ``results/train/potsdam``.
        metric: As it was logged.
    """
    path = folder / "live" / "plots" / "metrics" / f"{metric}.tsv"
    if not path.exists():  # a head that is not trained has no loss
        return {}
    with path.open(newline="") as file:
        points = list(csv.DictReader(file, delimiter="\t"))
    return {int(point["step"]): float(point[metric]) for point in points}
