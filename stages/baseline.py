"""Score one downstream task with what the ensemble must beat."""

from pathlib import Path

import eosfm.cli
from eosfm.core.results import write_result
from eosfm.evaluation.baselines import run_baselines
from eosfm.features.task import Task
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make results/baseline/NAME."""
    params = load_params()
    store = TileStore(Path("data/tiles") / params.task(name).dataset)
    with track("baseline", name, params.energy.country) as tracker:
        results = run_baselines(
            Task.resolve(params, name, store),
            params.backbone.name,
            features=Path("data/features") / name,
            artifact=Path("models/eosfm.pth"),
        )
        write_result(tracker.folder / "metrics.json", results)
        metric = results.single.metric
        scores = (f"{kind} {result.test[metric]:.3f}" for kind, result in vars(results).items())
        tracker.done(f"{metric}: {', '.join(scores)}")


if __name__ == "__main__":
    eosfm.cli.run(main)
