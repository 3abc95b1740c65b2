"""Score one downstream task with the baselines that the ensemble must beat."""

from pathlib import Path

import eosfm.cli
from eosfm.core.parallel import single_thread
from eosfm.core.results import write_result
from eosfm.evaluation.baselines import run_baselines
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.evaluation.evidence import write_evidence
from eosfm.features import processes
from eosfm.features.task import Task
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make results/baseline/NAME."""
    single_thread()
    params = load_params()
    features, artifact = Path("data/features") / name, Path("models/eosfm.pth")
    start = Path("models/start.pt")
    store = TileStore(Path("data/tiles") / params.task(name).dataset)
    task = Task.resolve(params, name, store)
    checkpoints = Checkpoints(
        Path(".cache/baseline") / name,
        "baseline.py",
        (store.path / "store.json", features / "features.json", artifact, start),
    )
    with track("baseline", name, params.energy.country) as tracker:
        processes.start(task.devices, f"tasks.{name}.devices")
        results = run_baselines(
            task,
            params.backbone.name,
            features,
            artifact,
            start,
            max_gb=params.encoding.max_gb,
            checkpoints=checkpoints,
        )
        processes.go_on_alone()
        write_result(tracker.folder / "metrics.json", results)
        write_evidence(tracker.folder / "tiles.npz", task, vars(results))
        checkpoints.clear()
        metric = results.single.metric
        scores = (f"{kind} {result.test[metric]:.3f}" for kind, result in vars(results).items())
        tracker.done(f"{metric}: {', '.join(scores)}")


if __name__ == "__main__":
    eosfm.cli.run(main)
