"""Run the ablations of one downstream task: number of specialists, which ones, labels."""

from pathlib import Path

import eosfm.cli
from eosfm.core.parallel import single_thread
from eosfm.core.results import write_result
from eosfm.evaluation.analyses import analyse_task
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.features.task import Task
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make analyses/results/analyse/NAME."""
    single_thread()
    params = load_params()
    features, artifact = Path("data/features") / name, Path("models/eosfm.pth")
    store = TileStore(Path("data/tiles") / params.task(name).dataset)
    checkpoints = Checkpoints(
        Path(".cache/analyse") / name,
        "analyse.py",
        (store.path / "store.json", features / "features.json", artifact),
    )
    # In a folder of their own, as analyses must not make the main pipeline's results stale.
    with track("analyse", name, params.energy.country, Path("analyses/results")) as tracker:
        result = analyse_task(
            Task.resolve(params, name, store),
            params.backbone.name,
            features,
            artifact,
            params.encoding.max_gb,
            checkpoints,
        )
        write_result(tracker.folder / "metrics.json", result)
        checkpoints.clear()
        parts = (result.counts, result.alone, result.without, result.labels, result.scratch)
        tracker.done(f"{sum(map(len, parts))} results")


if __name__ == "__main__":
    eosfm.cli.run(main)
