"""Take one downstream task's score apart: number of specialists, which ones, labels."""

from pathlib import Path

import eosfm.cli
from eosfm.core.files import write_json
from eosfm.evaluation.analyses import analyse_task
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make analyses/results/analyse/NAME."""
    params = load_params()
    task = params.task(name)
    # Beside the main job's results, which these analyses must not make stale.
    with track("analyse", name, params.energy.country, Path("analyses/results")) as tracker:
        result = analyse_task(
            params,
            name,
            TileStore(Path("data/tiles") / task.dataset),
            features=Path("data/features") / name,
            artifact=Path("models/eosfm.pth"),
        )
        write_json(tracker.folder / "metrics.json", result)
        fits = sum(len(result[part]) for part in ("counts", "alone", "without", "labels"))
        tracker.done(f"{fits} comparisons")


if __name__ == "__main__":
    eosfm.cli.run(main)
