"""What the choice of ``fusion.spectral`` and ``fusion.start`` rests on: validation scores alone.

    python benchmarks/pixel_heads.py mados hls_burn_scars spacenet7

needs ``data/tiles`` and ``data/features`` of the tasks, changes nothing, and takes two seeds that
no reported run uses. It prints the mean over them of the best epoch's validation score.
"""

import sys
from pathlib import Path

import torch

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import Splits
from eosfm.evaluation.fit import fit
from eosfm.evaluation.head import choose_bands, starting_point
from eosfm.evaluation.probe import build_probe
from eosfm.evaluation.trial import Trial, make_trials, seeded
from eosfm.features.frozen import FrozenFeatures
from eosfm.features.store import FeatureStore
from eosfm.features.task import Task
from eosfm.params import Params, load_params
from eosfm.tiles.store import TileStore

SEEDS = tuple(derive_seed(1000 + number, "pixel_heads") for number in range(2))

CANDIDATES = {
    "specialists": {"spectral": False, "start": "random"},
    "and bands": {"spectral": True, "start": "random"},
    "from labels": {"spectral": False, "start": "labels"},
    "and bands, from labels": {"spectral": True, "start": "labels"},
}


def open_task(params: Params, name: str) -> tuple[Task, Splits[FrozenFeatures]]:
    """A task whose maps are stored."""
    store = TileStore(Path("data/tiles") / params.task(name).dataset)
    task = Task.resolve(params, name, store)
    features = FeatureStore.open(Path("data/features") / name)
    return task, Splits.of(lambda split: features.split(split, task.windows))


def validate(params: Params, name: str, candidate: dict[str, object]) -> list[float]:
    """The best validation score of each seed; a test split is never read."""
    fusion = params.fusion.model_copy(update=candidate)
    task, splits = open_task(params, name)
    splits = choose_bands(fusion, splits)
    (first,) = make_trials(task, splits.train.some_targets(), 1)
    trials = [Trial(task, first.statistics, seed) for seed in SEEDS]
    start = starting_point(task, fusion, splits.train, trials[0])
    found = []
    for trial in trials:
        with seeded(trial):
            probe = start(build_probe(fusion, splits.train.inputs, trial))
        train, val = (s.prepared(probe.fusing.prepare) for s in (splits.train, splits.val))
        (best,) = fit([probe], train, val, [trial])
        found.append(best.scores[task.metric])
    return found


def main() -> None:
    """Print a line per task and candidate."""
    torch.set_num_threads(1)
    params = load_params()
    for name in sys.argv[1:]:
        for label, candidate in CANDIDATES.items():
            scores = validate(params, name, candidate)
            each = " ".join(f"{score:.3f}" for score in scores)
            print(f"{name:24s} {label:24s} {sum(scores) / len(scores):.3f}  ({each})", flush=True)


if __name__ == "__main__":
    main()
