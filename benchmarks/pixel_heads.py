"""What ``fusion.spectral`` and the protocol's ``late_fusion`` rest on: validation scores alone.

    python benchmarks/pixel_heads.py mados hls_burn_scars spacenet7

needs ``data/tiles`` and ``data/features`` of the tasks, changes nothing, and takes two seeds that
no reported run uses. It prints the mean over them of the best epoch's validation score; with
late fusion, also the share that the linear model of pixel values has in each.
"""

import sys
from functools import partial
from pathlib import Path

import torch

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import Splits
from eosfm.evaluation.fit import fit
from eosfm.evaluation.head import choose, choose_bands
from eosfm.evaluation.late_fusion import fuse, pixel_voter
from eosfm.evaluation.probe import build_probe
from eosfm.evaluation.trial import Trial, make_trials, seeded
from eosfm.features.frozen import FrozenFeatures, only
from eosfm.features.reading import read_split
from eosfm.features.store import FeatureStore
from eosfm.features.task import Task
from eosfm.params import Params, load_params
from eosfm.tiles.store import TileStore

SEEDS = tuple(derive_seed(1000 + number, "pixel_heads") for number in range(2))

CANDIDATES = {
    "specialists": (False, False),
    "and bands": (True, False),
    "and bands, late fusion": (True, True),
}
"""By name: whether ``fusion.spectral``, whether late fusion."""


def open_task(params: Params, name: str) -> tuple[Task, Splits[FrozenFeatures]]:
    """A task whose maps are stored."""
    store = TileStore(Path("data/tiles") / params.task(name).dataset)
    task = Task.resolve(params, name, store)
    features = FeatureStore.open(Path("data/features") / name)
    return task, Splits.of(lambda split: features.split(split, task.windows))


def validate(params: Params, name: str, spectral: bool, late: bool) -> list[tuple[float, float]]:
    """Best validation score, and the pixels' share, of each seed; a test split is never read."""
    fusion = params.fusion.model_copy(update={"spectral": spectral})
    task, splits = open_task(params, name)
    splits = choose_bands(fusion, splits)
    (first,) = make_trials(task, splits.train.some_targets(), 1)
    splits = only(splits, choose(fusion, splits.train, splits.val, first))
    voter = pixel_voter(first, Splits.of(partial(read_split, task))) if late else None
    found = []
    for seed in SEEDS:
        trial = Trial(task, first.statistics, seed)
        with seeded(trial):
            probe = build_probe(fusion, splits.train.inputs, trial)
        train, val = (s.prepared(probe.fusing.prepare) for s in (splits.train, splits.val))
        (best,) = fit([probe], train, val, [trial])
        scores, share = best.scores, 0.0
        if voter is not None:
            ((fused, scores),) = fuse([probe], voter, val, trial)
            share = fused.share
        found.append((scores[task.metric], share))
    return found


def main() -> None:
    """Print a line per task and candidate."""
    torch.set_num_threads(1)
    params = load_params()
    for name in sys.argv[1:]:
        for label, candidate in CANDIDATES.items():
            found = validate(params, name, *candidate)
            mean = sum(score for score, _ in found) / len(found)
            each = ", ".join(f"{score:.3f} with {share:g}" for score, share in found)
            print(f"{name:24s} {label:24s} {mean:.3f}  ({each})", flush=True)


if __name__ == "__main__":
    main()
