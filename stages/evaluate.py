"""Score one downstream task with the ensemble."""

from functools import partial
from pathlib import Path

import eosfm.cli
from eosfm.core.parallel import single_thread
from eosfm.core.results import write_result
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.evaluation.evaluate import evaluate_task, selection_path
from eosfm.evaluation.evidence import write_evidence
from eosfm.evaluation.fitted import BestFit
from eosfm.evaluation.pictures import draw_answers
from eosfm.features import processes
from eosfm.features.store import FeatureStore
from eosfm.features.task import Task
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make results/evaluate/NAME and models/tasks/NAME.pt."""
    single_thread()
    params = load_params()
    features, artifact = Path("data/features") / name, Path("models/eosfm.pth")
    store = TileStore(Path("data/tiles") / params.task(name).dataset)
    task, best = Task.resolve(params, name, store), BestFit()
    inputs = (store.path / "store.json", features / "features.json", artifact)
    checkpoints = Checkpoints(Path(".cache/evaluate") / name, "evaluate.py", inputs)
    # The list of stored features has their hashes, and the ensemble is not read.
    decisive = inputs[:2] if FeatureStore.open(features).stored else inputs
    memory = Checkpoints(Path(".cache/selection") / name, "evaluate.py", decisive)
    with track("evaluate", name, params.energy.country) as tracker:
        processes.start(task.devices, f"tasks.{name}.devices")
        path = processes.from_first(
            partial(selection_path, task, params.fusion, features, artifact, memory)
        )
        result = evaluate_task(
            task,
            params.fusion,
            features,
            artifact,
            log=tracker.log if processes.is_first() else None,
            checkpoints=checkpoints,
            keep=best.keep,
            path=path,
        )
        processes.go_on_alone()
        write_result(tracker.folder / "selection.json", path)
        best.write(Path("models/tasks") / f"{name}.pt", task, artifact)
        if best.answers:  # knn, which has no model, keeps none
            draw_answers(task, best.answers, tracker.folder / "predictions.png")
        write_result(tracker.folder / "metrics.json", result)
        write_evidence(tracker.folder / "tiles.npz", task, {"eosfm": result})
        checkpoints.clear()
        tracker.done(f"{result.metric} {result.test[result.metric]:.3f}")


if __name__ == "__main__":
    eosfm.cli.run(main)
