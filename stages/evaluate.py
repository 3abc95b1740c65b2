"""Score one downstream task with the frozen ensemble."""

from pathlib import Path

import eosfm.cli
from eosfm.core.files import write_json
from eosfm.evaluation.evaluate import evaluate_task
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make results/evaluate/NAME."""
    params = load_params()
    task = params.task(name)
    with track("evaluate", name, params.energy.country) as tracker:
        result = evaluate_task(
            params,
            name,
            TileStore(Path("data/tiles") / task.dataset),
            features=Path("data/features") / name,
            artifact=Path("models/eosfm.pth"),
            log=tracker.log,
        )
        write_json(tracker.folder / "metrics.json", result)
        tracker.done(f"{task.metric} {result['test'][task.metric]:.3f}")


if __name__ == "__main__":
    eosfm.cli.run(main)
