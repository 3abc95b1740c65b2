"""Forward selection: ranks specialists, alone or together, by ridge regression.

Training a head on each would cost many times the whole evaluation. Ridge regression of the labels
on the specialists' features has a closed-form solution, and its R2 on validation tiles ranks the
specialists.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eosfm.encoding.input import SPECTRAL
from eosfm.evaluation.trial import Trial
from eosfm.features.device import to_device
from eosfm.features.frozen import FrozenFeatures, chunks
from eosfm.features.source import Levels, Request, split_levels
from eosfm.heads.linear_model import deviation
from eosfm.heads.temporal import mean_date, seen_dates
from eosfm.kinds.examples import spread

CELLS = 2500
"""Most labelled cells of the finest level that are read per split, equally many of each item; for
image labels, most items."""

PENALTIES = (1e-2, 1e-1, 1.0)
"""Ridge penalties per sample; each pyramid, or team, takes its best."""

MOST = 10
"""Length of the selection path in specialists, unless more are to be kept."""

FEWEST = 3
"""Fewest specialists that ``auto`` keeps: a decoder of maps can gain from several where a linear
model does not (``benchmarks/choices.md``)."""

MARGIN = 0.01
"""Fewer specialists are enough if their R2 is this close to the best (but at least FEWEST)."""

COMPONENTS = 32
"""Principal components that stand for a pyramid in a team."""


def explained_alone(train: FrozenFeatures, val: FrozenFeatures, trial: Trial) -> dict[str, float]:
    """R2 on the validation labels (mean over classes) of each specialist alone.

    A specialist with several pyramids gets the R2 of its best one.
    """
    known, truth = sample_cells(train, trial)
    unknown, answers = sample_cells(val, trial)
    scores: dict[str, float] = {}
    for spec, x, z in zip(train.inputs, known, unknown, strict=True):
        if spec.spectral:
            continue
        x, z = standardised(x, z)
        found = Products.of(x, truth, z, answers).explained(torch.arange(x.shape[1]))
        scores[spec.name] = max(found, scores.get(spec.name, found))
    return scores


def select_forward(
    train: FrozenFeatures, val: FrozenFeatures, trial: Trial, count: int
) -> dict[str, float]:
    """Choose specialists one after the other, each the one that adds most to those before it.

    A team is scored by the R2 of one ridge regression on the first principal components of each of
    its pyramids. The bands, if present, are in every team. All products are taken once: the teams'
    regressions are solved from parts of them.

    Returns:
        The R2 of the team after each addition, by the specialist added, in order; at most ``count``
        of them.
    """
    known, truth = sample_cells(train, trial)
    unknown, answers = sample_cells(val, trial)
    pairs = [_components(x, z) for x, z in zip(known, unknown, strict=True)]
    x, z = (torch.cat(parts, dim=1) for parts in zip(*pairs, strict=True))
    products = Products.of(x, truth, z, answers)
    columns: dict[str, Tensor] = {}
    parts = torch.arange(x.shape[1]).split([part.shape[1] for part, _ in pairs])
    for spec, own in zip(train.inputs, parts, strict=True):
        columns[spec.name] = torch.cat([columns.get(spec.name, own[:0]), own])
    team = columns.pop(SPECTRAL, parts[0][:0])
    chosen: dict[str, float] = {}
    while len(chosen) < min(count, len(columns)):
        scores = {
            name: products.explained(torch.cat([team, own]))
            for name, own in columns.items()
            if name not in chosen
        }
        best = ranked(scores)[0]
        chosen[best], team = scores[best], torch.cat([team, columns[best]])
    return chosen


def enough(path: dict[str, float]) -> list[str]:
    """The shortest start of a :func:`select_forward` path within :data:`MARGIN` of its best R2.

    At least :data:`FEWEST` specialists, if the path has so many.
    """
    names, best = list(path), max(path.values())
    count = next(n for n, name in enumerate(names, 1) if path[name] >= best - MARGIN)
    return names[: max(count, FEWEST)]


def _components(x: Tensor, unseen: Tensor) -> tuple[Tensor, Tensor]:
    """Standardised features in the directions in which they vary most."""
    x, unseen = standardised(x, unseen)
    # Exact: a randomised decomposition could change the choice from run to run.
    _, directions = torch.linalg.eigh(x.T @ x)
    directions = directions[:, -COMPONENTS:]
    return x @ directions, unseen @ directions


def standardised(x: Tensor, unseen: Tensor) -> tuple[Tensor, Tensor]:
    """Standardise both by the mean and standard deviation of the first."""
    mean, std = x.mean(0), deviation(x, correction=0)
    return (x - mean) / std, (unseen - mean) / std


@dataclass(frozen=True)
class Products:
    """What ridge regressions on some of the same features need, in double precision.

    Attributes:
        samples: Their number N in training.
        gram: (C, C) products of the training features with each other.
        cross: (C, K) those with the targets, less the targets' mean.
        unseen_gram: (C, C) products of the unseen features with each other.
        unseen_cross: (C, K) those with the errors of the training targets' mean.
        errors: (K,) squares of these errors, summed over unseen samples.
        variation: (K,) squares of the unseen targets less their mean, summed.
    """

    samples: int
    gram: Tensor
    cross: Tensor
    unseen_gram: Tensor
    unseen_cross: Tensor
    errors: Tensor
    variation: Tensor

    @classmethod
    def of(cls, x: Tensor, y: Tensor, unseen: Tensor, answers: Tensor) -> "Products":
        """Multiply (N, C) standardised features, (N, K) targets, and both of unseen samples."""
        x, y, unseen, answers = (values.double() for values in (x, y, unseen, answers))
        offset = y.mean(0)
        wrong = offset - answers
        return cls(
            len(x),
            x.T @ x,
            x.T @ (y - offset),
            unseen.T @ unseen,
            unseen.T @ wrong,
            wrong.square().sum(0),
            (answers - answers.mean(0)).square().sum(0),
        )

    def explained(self, columns: Tensor) -> float:
        """R2 on unseen samples of a regression on some of the columns, with the best penalty.

        The mean over targets; those that do not vary are left out.
        """
        gram, seen = self.gram[columns][:, columns], self.unseen_gram[columns][:, columns]
        cross, missed = self.cross[columns], self.unseen_cross[columns]
        varies = self.variation > 0
        best = -torch.inf
        for penalty in PENALTIES:
            shifted = gram.clone()
            shifted.diagonal().add_(penalty * self.samples)
            # Cholesky: a twentieth of the time of a general solution here.
            weights = torch.cholesky_solve(cross, torch.linalg.cholesky(shifted))
            errors = self.errors + (weights * (seen @ weights + 2 * missed)).sum(0)
            r2 = 1 - errors[varies] / self.variation[varies]
            best = max(best, float(r2.mean()) if len(r2) else 0.0)
        return best


def sample_cells(split: FrozenFeatures, trial: Trial) -> tuple[list[Tensor], Tensor]:
    """Features by pyramid, each (N, C), and (N, K) targets: one row per cell, or per tile."""
    task = trial.task
    rng = np.random.default_rng(trial.seed)
    features, targets = [], []
    items = np.array(spread(len(split) * split.windows.count, CELLS))
    requests = [Request(items[some]) for some in chunks(len(items))]
    for inputs, target in split.batches(requests):
        whole, days = to_device(inputs)
        seen = seen_dates(days)
        levels = [_one_date(x.float(), task.kind.bitemporal, seen).cpu() for x in whole]
        target = target.cpu()
        if task.kind.answer == "image":
            features.append([level.mean(dim=(-2, -1)) for level in levels])
        else:
            by_cell = _by_cell(target, levels[0], task.ignore_index)
            count = max(1, CELLS // len(items))
            some, cells = _cells(_known(by_cell, task.ignore_index), count, rng)
            features.append(_at(levels, some, cells))
            target = by_cell[some, cells]
        targets.append(target)
    truth = torch.cat(targets)
    known = _known(truth, task.ignore_index)
    if known.ndim == 2:
        truth, known = fill_unknown(truth, known), known.any(1)
    joined = [torch.cat([part[k] for part in features])[known] for k in range(len(features[0]))]
    by_level = split_levels(joined, split.inputs, dim=1)
    pyramids = [torch.cat(parts, dim=1) for parts in zip(*by_level, strict=True)]
    return pyramids, _indicators(truth[known], len(task.classes))


def _known(target: Tensor, ignore_index: int) -> Tensor:
    """Where a target counts."""
    return ~target.isnan() if target.is_floating_point() else target != ignore_index


def fill_unknown(target: Tensor, known: Tensor, level: Tensor | None = None) -> Tensor:
    """(N, K) labels as float64, unknown ones set to the mean, so that they carry no information.

    Args:
        target: (N, K) labels: 0 or 1 where known, any value elsewhere.
        known: (N, K) bool, where labels are known.
        level: (K,) mean of each label; None computes it from the known labels.
    """
    labels = target.double()
    if level is None:
        level = torch.where(known, labels, 0.0).sum(0) / known.sum(0).clamp_min(1)
    return torch.where(known, labels, level)


def _one_date(level: Tensor, bitemporal: bool, seen: Tensor | None) -> Tensor:
    """(B, T, C, h, w) to (B, C, h, w): how much changed, or the mean of the dates seen (B, T)."""
    return (level[:, 1] - level[:, 0]).abs() if bitemporal else mean_date(level, seen)


def _cells(known: Tensor, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Items and cells of samples: up to ``count`` labelled cells of each item of (B, cells)."""
    order = torch.from_numpy(rng.permutation(known.shape[1]))
    shuffled = known[:, order]
    items, places = (shuffled & (shuffled.cumsum(1) <= count)).nonzero(as_tuple=True)
    return items, order[places]


def _at(levels: Levels, items: Tensor, cells: Tensor) -> list[Tensor]:
    """Features of all levels at cells of the finest: (samples, C) per level."""
    height, width = levels[0].shape[-2:]
    rows, cols = cells // width, cells % width
    found = []
    for level in levels:
        row, col = rows * level.shape[-2] // height, cols * level.shape[-1] // width
        found.append(level[items, :, row, col])
    return found


def _by_cell(target: Tensor, finest: Tensor, ignore_index: int) -> Tensor:
    """Labels (B, cells) of the finest level's cells, of (B, H, W) targets.

    A cell has the label of the pixel at its centre or, where that has none, of its first pixel that
    has one: labels may be single points.
    """
    (height, width), (rows, cols) = target.shape[-2:], finest.shape[-2:]
    pixels = height * width
    row = ((torch.arange(rows) + 0.5) * (height / rows)).long()
    col = ((torch.arange(cols) + 0.5) * (width / cols)).long()
    centre = (row[:, None] * width + col).flatten()
    row, col = torch.arange(height) * rows // height, torch.arange(width) * cols // width
    cell = (row[:, None] * cols + col).flatten().expand(len(target), -1)
    # Of a cell's pixels that of the lowest rank is taken: the centre, others, those without label.
    unlabelled = ~_known(target, ignore_index).flatten(1) * (2 * pixels)
    rank = torch.arange(pixels) + pixels + unlabelled
    best = (centre + unlabelled[:, centre]).scatter_reduce(1, cell, rank, "amin")
    return target.flatten(1).gather(1, best % pixels)


def _indicators(truth: Tensor, classes: int) -> Tensor:
    """(N, K) float targets: one-hot classes, labels or a value as they are."""
    if truth.ndim == 2:
        return truth.float()
    if truth.is_floating_point():
        return truth[:, None]
    return F.one_hot(truth.long(), classes).float()


def ranked(scores: dict[str, float]) -> Sequence[str]:
    """Specialists from the best score down; equals in their order."""
    return sorted(scores, key=lambda name: -scores[name])
