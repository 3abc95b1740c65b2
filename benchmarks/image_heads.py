"""Which head image labels get: every candidate on labels that the reported run does not use.

Needs the tiles and the artifact of a run. Of each task's training tiles, as many as it has labels
are drawn anew; the tiles that are left are what the candidates are scored on, so no test tile is
read:

    python benchmarks/image_heads.py --draws 8
"""

import argparse
import statistics
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from eosfm.core.splits import Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.evaluation.head import run_head
from eosfm.features.encode import scratch_features, task_encoder
from eosfm.features.frozen import FrozenFeatures
from eosfm.features.reading import read_split
from eosfm.features.task import Task
from eosfm.params import Fusion, load_params
from eosfm.tiles.store import TileStore

HEADS = ("linear", "knn", "ridge")
LIMITS = (None, 5, 1)


def main(draws: int, heads: list[str]) -> None:
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
        readings = Splits.of(partial(read_split, whole))
        with scratch_features(encoder, readings, params.encoding.max_gb, pools=True) as splits:
            print(f"{name}: {task.metric} on training tiles without labels, {labels} labels")
            for head, bands, limit in product(heads, (True, False), LIMITS):
                fusion = params.fusion.model_copy(update={"spectral": bands, "max_encoders": limit})
                found = [
                    _score(replace(task, head=head), fusion, splits, labels, draw)
                    for draw in range(draws)
                ]
                error = statistics.stdev(found) / draws**0.5
                print(
                    f"  {head:7} bands {bands!s:6} specialists {limit or 'all':>4} "
                    f"{statistics.fmean(found):.3f} ± {error:.3f}",
                    flush=True,
                )


def _score(
    task: Task, fusion: Fusion, splits: Splits[FrozenFeatures], labels: int, draw: int
) -> float:
    """The score of a head with one draw of the labels, on the training tiles that are left."""
    order = np.random.default_rng((draw, labels)).permutation(len(splits.train))
    drawn, left = (np.sort(part) for part in (order[:labels], order[labels:]))
    known = Splits(splits.train.take(drawn), splits.val, splits.train.take(left))
    return run_head(task, fusion, known, 1).test[task.metric]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    args = parser.parse_args()
    main(args.draws, args.heads)
