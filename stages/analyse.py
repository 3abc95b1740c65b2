"""Take one downstream task's score apart: number of specialists, which ones, labels."""

from pathlib import Path

import eosfm.cli
from eosfm.core.parallel import single_thread
from eosfm.core.results import write_result
from eosfm.evaluation.analyses import analyse_task
from eosfm.features.task import Task
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make analyses/results/analyse/NAME."""
    single_thread()
    params = load_params()
    store = TileStore(Path("data/tiles") / params.task(name).dataset)
    # Beside the main job's results, which these analyses must not make stale.
    with track("analyse", name, params.energy.country, Path("analyses/results")) as tracker:
        result = analyse_task(
            Task.resolve(params, name, store),
            params.backbone.name,
            features=Path("data/features") / name,
            artifact=Path("models/eosfm.pth"),
        )
        write_result(tracker.folder / "metrics.json", result)
        parts = (result.counts, result.alone, result.without, result.labels, result.scratch)
        tracker.done(f"{sum(map(len, parts))} results")


if __name__ == "__main__":
    eosfm.cli.run(main)
