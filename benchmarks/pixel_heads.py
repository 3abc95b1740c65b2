"""What ``fusion.spectral``, ``late_fusion`` and the number of specialists rest on.

    python benchmarks/pixel_heads.py mados hls_burn_scars spacenet7
    python benchmarks/pixel_heads.py --encoders 1 3 5 10 -- mados spacenet7

needs ``data/tiles`` and ``data/features`` of the tasks, changes nothing, and takes two seeds that
no reported run uses. It prints the mean over them of the best epoch's validation score; with
late fusion, also the share that the linear model of pixel values has in each. With ``--encoders``,
fits of so many specialists, scored on a second simulated world as well.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from second_world import second_world
from torch import nn

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.evaluation.baselines import ALL
from eosfm.evaluation.examine import score
from eosfm.evaluation.fit import fit
from eosfm.evaluation.forward_selection import select_forward
from eosfm.evaluation.head import choose, choose_bands
from eosfm.evaluation.late_fusion import PixelVoter, fuse, pixel_voter, share_of, with_images
from eosfm.evaluation.probe import build_probe
from eosfm.evaluation.result import Scores
from eosfm.evaluation.trial import Trial, make_trials, seeded
from eosfm.features.encode import live_features, task_encoder
from eosfm.features.frozen import FrozenFeatures, only
from eosfm.features.reading import read_split
from eosfm.features.store import FeatureStore
from eosfm.features.task import Task
from eosfm.params import Fusion, Params, load_params
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


def fit_each(
    task: Task, fusion: Fusion, splits: Splits[FrozenFeatures], voter: PixelVoter | None
) -> Iterator[tuple[nn.Module, Scores, Trial]]:
    """The model of each seed, fused late where there is a voter, and its validation scores."""
    (first,) = make_trials(task, splits.train.some_targets(), 1)
    for seed in SEEDS:
        trial = Trial(task, first.statistics, seed)
        with seeded(trial):
            probe = build_probe(fusion, splits.train.inputs, trial)
        train, val = (s.prepared(probe.fusing.prepare) for s in (splits.train, splits.val))
        (best,) = fit([probe], train, val, [trial])
        if voter is None:
            yield probe, best.scores, trial
        else:
            ((fused, scores),) = fuse([probe], voter, val, trial)
            yield fused, scores, trial


def validate(params: Params, name: str, spectral: bool, late: bool) -> list[tuple[float, float]]:
    """Best validation score, and the pixels' share, of each seed; a test split is never read."""
    fusion = params.fusion.model_copy(update={"spectral": spectral})
    task, splits = open_task(params, name)
    splits = choose_bands(fusion, splits)
    (first,) = make_trials(task, splits.train.some_targets(), 1)
    splits = only(splits, choose(fusion, splits.train, splits.val, first))
    voter = pixel_voter(first, Splits.of(partial(read_split, task))) if late else None
    found = fit_each(task, ALL, splits, voter)
    return [(scores[task.metric], share_of(model)) for model, scores, _ in found]


def count_encoders(params: Params, name: str, counts: Sequence[int]) -> None:
    """Print the scores of so many specialists on validation tiles, and on a second world."""
    task, splits = open_task(params, name)
    (first,) = make_trials(task, splits.train.some_targets(), 1)
    path = list(select_forward(splits.train, splits.val, first, max(counts)))
    with TemporaryDirectory() as folder:
        world = second_world(params, task, Path(folder))
        encoder = task_encoder(task, load_artifact(Path("models/eosfm.pth")), copy=False)
        splits = replace(splits, test=live_features(encoder, False, world))
        voter = pixel_voter(first, replace(Splits.of(partial(read_split, task)), test=world))
        assert voter is not None
        for count in counts:
            some = only(splits, path[:count])
            found = []
            for model, scores, trial in fit_each(task, ALL, some, voter):
                test = with_images(some.test.prepared(model.model.fusing.prepare), world)
                (elsewhere,) = score([model], test, trial)
                found.append((scores[task.metric], elsewhere[task.metric]))
            val, other = (sum(part) / len(found) for part in zip(*found, strict=True))
            print(f"{name:24s} {count:3d} val {val:.3f} second world {other:.3f}", flush=True)


def main(tasks: Sequence[str], counts: Sequence[int]) -> None:
    """Print a line per task and candidate."""
    torch.set_num_threads(1)
    params = load_params()
    for name in tasks:
        if counts:
            count_encoders(params, name, counts)
            continue
        for label, candidate in CANDIDATES.items():
            found = validate(params, name, *candidate)
            mean = sum(score for score, _ in found) / len(found)
            each = ", ".join(f"{score:.3f} with {share:g}" for score, share in found)
            print(f"{name:24s} {label:24s} {mean:.3f}  ({each})", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--encoders", nargs="+", type=int, default=[])
    args = parser.parse_args()
    main(args.tasks, args.encoders)
