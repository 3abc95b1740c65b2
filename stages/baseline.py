"""Score one downstream task with what the ensemble must beat."""

from pathlib import Path

import eosfm.cli
from eosfm.core.files import write_json
from eosfm.evaluation.baselines import run_baselines
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make results/baseline/NAME."""
    params = load_params()
    task = params.task(name)
    with track("baseline", name, params.energy.country) as tracker:
        results = run_baselines(
            params,
            name,
            TileStore(Path("data/tiles") / task.dataset),
            features=Path("data/features") / name,
            artifact=Path("models/eosfm.pth"),
        )
        write_json(tracker.folder / "metrics.json", results)
        scores = (f"{kind} {result['test'][task.metric]:.3f}" for kind, result in results.items())
        tracker.done(f"{task.metric}: {', '.join(scores)}")


if __name__ == "__main__":
    eosfm.cli.run(main)
