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

from second_world import second_world

from eosfm.core.splits import Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.evaluation.head import run_head
from eosfm.features.encode import scratch_features, task_encoder
from eosfm.features.frozen import FrozenFeatures
from eosfm.features.labels import strata, stratified_share
from eosfm.features.reading import read_split
from eosfm.features.task import Task
from eosfm.params import Fusion, load_params
from eosfm.tiles.store import TileStore

HEADS = ("linear", "knn", "ridge")
LIMITS = ("auto", 5, 1)


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
            other = second_world(params, whole, Path(folder), tiles)
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
