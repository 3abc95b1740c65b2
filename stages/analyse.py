"""Take one downstream task's score apart: number of specialists, which ones, labels."""

from pathlib import Path

import eosfm.cli
from eosfm.evaluation.analyses import analyse_task
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track, write_json


def main(name: str) -> None:
    """Make analyses/results/tasks/NAME.json."""
    params = load_params()
    task = params.task(name)
    # Beside the main job's results, which these analyses must not make stale.
    out = Path("analyses/results")
    with track("analyse", name, params.energy.country, out) as tracker:
        result = analyse_task(
            params,
            name,
            TileStore(Path("data/tiles") / task.dataset),
            features=Path("data/features") / name,
            artifact=Path("models/eosfm.pth"),
        )
        write_json(out / "tasks" / f"{name}.json", result)
        fits = sum(len(result[part]) for part in ("counts", "alone", "without", "labels"))
        tracker.done(f"{fits} comparisons")


if __name__ == "__main__":
    eosfm.cli.run(main)
