"""A simulated dataset beside what is published of the real one, where no real copy is at hand.

    python benchmarks/published.py --draws 3              # draws 0 to 2 tune
    python benchmarks/published.py --draws 3 --first 100  # others tell

DynamicEarthNet: shares of classes and statistics of bands (Toker et al. 2022, arXiv 2203.12560, and
the configuration of PANGAEA), and the yardsticks of ``yardsticks.py``, with sixty areas to fit and
sixty to test. Untrained, they should not beat the 0.376 of the authors' U-Net, which has seen 1,300
labels; no model of theirs has 0.2 in agriculture or wetlands.
"""

from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor
from yardsticks import Side, ious, native, read, whole, yardsticks

import eosfm.cli
from eosfm.core.splits import Split
from eosfm.datasets import get_dataset
from eosfm.report.tables import markdown

NAME = "dynamic_earthnet"
AREAS = 60
SIZE, GSD = 64, 3.0
SHARES = (0.071, 0.103, 0.449, 0.007, 0.280, 0.080)
MEAN, STD = (671, 916, 1043, 2605), (597, 716, 958, 1060)


def main(
    draws: Annotated[int, typer.Option(help="Simulated datasets.")] = 3,
    first: Annotated[int, typer.Option(help="Seed of the first.")] = 0,
) -> None:
    """Print the two tables."""
    dataset = get_dataset(NAME)
    facts: list[np.ndarray] = []
    found: dict[str, list[list[float]]] = {}

    def by_class(logits: Tensor, answers: Tensor) -> float:
        last.append(ious(logits, answers))
        return float(np.nanmean(last[-1]))

    for seed in range(first, first + draws):
        known, unseen = _draw(seed)
        facts.append(_facts(known, unseen))
        last: list[list[float]] = []
        for yardstick, score in yardsticks(known, unseen, seed, by_class):
            best = next(classes for classes in last if float(np.nanmean(classes)) == score)
            found.setdefault(yardstick, []).append([score, *best])
            last.clear()
    names = [f"share of {name}" for name in dataset.classes]
    names += [f"{what} of {band}" for what in ("mean", "deviation") for band in dataset.bands]
    rows = [["", "published", "simulated"]]
    for name, real, ours in zip(names, (*SHARES, *MEAN, *STD), np.mean(facts, 0), strict=True):
        rows.append([name, *(f"{x:.3f}" if real < 1 else f"{x:.0f}" for x in (real, ours))])
    print(markdown(rows))
    rows = [["yardstick", "mIoU", *dataset.classes]]
    for yardstick, scores in found.items():
        rows.append([yardstick, *(f"{x:.2f}" for x in np.nanmean(scores, 0))])
        rows[-1][1] = f"{np.mean(scores, 0)[0]:.3f} ± {np.std(scores, 0)[0]:.3f}"
    print(markdown(rows), flush=True)


def _draw(seed: int) -> tuple[Side, Side]:
    counts: dict[Split, int] = {"train": AREAS, "val": 0, "test": AREAS}
    sides: dict[Split, list[tuple[Tensor, Tensor]]] = {"train": [], "val": [], "test": []}
    with native(NAME, None, counts, SIZE, GSD, seed) as scenes:
        for scene in scenes:
            target = torch.from_numpy(scene.target(whole(scene))).long()
            sides[scene.split].append((read(scene), target))
    known, unseen = (
        Side(*map(torch.stack, zip(*sides[split], strict=True))) for split in ("train", "test")
    )
    return known, unseen


def _facts(*sides: Side) -> np.ndarray:
    """Shares of the classes, means and deviations of the bands."""
    targets = torch.cat([side.targets.flatten() for side in sides])
    shares = torch.bincount(targets[targets >= 0], minlength=len(SHARES)) / len(targets)
    bands = torch.cat([side.images.transpose(1, 2).transpose(0, 1).flatten(1) for side in sides], 1)
    return torch.cat([shares, bands.mean(1), bands.std(1)]).numpy()


if __name__ == "__main__":
    eosfm.cli.run(main)
