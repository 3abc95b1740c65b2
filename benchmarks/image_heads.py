"""Which head image labels get: every candidate on a world that no run sees.

Needs the tiles and the artifact of a run. Of each task's training tiles, as many as it has labels
are drawn anew; validation tiles choose, as in a run. The candidates are scored on tiles of a second
simulated world. Not on the training tiles that are left: specialists of the task's own dataset were
trained on them.

    python benchmarks/image_heads.py --draws 12
"""

import argparse
import statistics
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import SPLITS, Splits
from eosfm.datasets import get_dataset
from eosfm.encoding.artifact import load_artifact
from eosfm.evaluation.head import run_head
from eosfm.features.encode import scratch_features, task_encoder
from eosfm.features.frozen import FrozenFeatures
from eosfm.features.labels import strata, stratified_share
from eosfm.features.reading import Reading, read_split
from eosfm.features.task import Task
from eosfm.params import DatasetParams, Fusion, load_params
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import get_recipe
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset

HEADS = ("linear", "knn", "ridge")
LIMITS = ("auto", 5, 1)

WORLD = derive_seed(1000, "image_heads")
"""Seed of the second world."""

OTHERS = 100
"""Tiles of its other splits, which nobody reads."""


def main(draws: int, heads: list[str], tiles: int) -> None:
    """Print the table of each task with image labels."""
    params = load_params()
    for name, entry in params.tasks.items():
        store = TileStore(Path("data/tiles") / entry.dataset)
        task = Task.resolve(params, name, store)
        if not task.pools:
            continue
        labels = len(task.indices("train"))
        whole = replace(task, label_fraction=1.0)
        encoder = task_encoder(whole, load_artifact(Path("models/eosfm.pth")))
        with TemporaryDirectory() as folder:
            other = second_world(whole, params.dataset(entry.dataset), Path(folder), tiles)
            readings = replace(Splits.of(partial(read_split, whole)), test=other)
            with scratch_features(encoder, readings, params.encoding.max_gb, True) as splits:
                print(f"{name}: {task.metric} on {tiles} tiles of a second world, {labels} labels")
                compare(task, params.fusion, splits, draws, heads)


def compare(
    task: Task, fusion: Fusion, splits: Splits[FrozenFeatures], draws: int, heads: list[str]
) -> None:
    """Print a line per head, with and without bands, and number of specialists."""
    for head, bands, limit in product(heads, (True, False), LIMITS):
        changed = fusion.model_copy(update={"spectral": bands, "max_encoders": limit})
        found = [_score(replace(task, head=head), changed, splits, draw) for draw in range(draws)]
        error = statistics.stdev(found) / draws**0.5
        print(
            f"  {head:7} bands {bands!s:6} specialists {limit:>4} "
            f"{statistics.fmean(found):.3f} ± {error:.3f}",
            flush=True,
        )


def second_world(task: Task, entry: DatasetParams, folder: Path, tiles: int) -> Reading:
    """Tiles of a task's dataset from another simulated Earth, scaled as the task's own are."""
    raw, cut, amount = folder / "raw", folder / "tiles", entry.simulated
    assert amount is not None
    raw.mkdir()
    scenes = {"train": OTHERS, "val": OTHERS, "test": tiles}
    get_recipe(entry.reader)(raw, Simulation(WORLD, scenes, amount.size, amount.gsd))
    dataset = replace(get_dataset(entry.reader).below(raw), name=entry.reader)
    cut_dataset(dataset, raw, cut, entry.tile, splits=SPLITS, source="simulated")
    reading = read_split(replace(task, store=TileStore(cut)), "test")
    return replace(reading, statistics=task.statistics)


def _score(task: Task, fusion: Fusion, splits: Splits[FrozenFeatures], draw: int) -> float:
    """The score of a head with one draw of the labels."""
    groups = strata(task.store, "train", task.strata)
    drawn = stratified_share(groups, task.label_fraction, draw, task.strata)
    known = replace(splits, train=splits.train.take(drawn))
    return run_head(task, fusion, known, 1).test[task.metric]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--tiles", type=int, default=570)
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    args = parser.parse_args()
    main(args.draws, args.heads, args.tiles)
