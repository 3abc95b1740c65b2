"""Score one downstream task with the frozen ensemble."""

from pathlib import Path

import eosfm.cli
from eosfm.core.results import write_result
from eosfm.evaluation.evaluate import evaluate_task
from eosfm.features.task import Task
from eosfm.params import load_params
from eosfm.prediction.fitted import BestFit
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make results/evaluate/NAME and models/tasks/NAME.pt."""
    params = load_params()
    store = TileStore(Path("data/tiles") / params.task(name).dataset)
    with track("evaluate", name, params.energy.country) as tracker:
        task, artifact, best = (
            Task.resolve(params, name, store),
            Path("models/eosfm.pth"),
            BestFit(),
        )
        result = evaluate_task(
            task,
            params.fusion,
            features=Path("data/features") / name,
            artifact=artifact,
            log=tracker.log,
            keep=best.keep,
        )
        best.write(Path("models/tasks") / f"{name}.pt", task, artifact)
        write_result(tracker.folder / "metrics.json", result)
        tracker.done(f"{result.metric} {result.test[result.metric]:.3f}")


if __name__ == "__main__":
    eosfm.cli.run(main)
