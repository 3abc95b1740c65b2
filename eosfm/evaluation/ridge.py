"""The head ``ridge``: image labels in closed form, with a weight for every specialist.

Some hundred labels do not tell a training by gradient steps which of ten thousand features help:
the many weak ones drown the few strong. Ridge regression has an exact solution, and an exact error
on each sample when it is left out. By that error specialists get their weights, in the way of
ensemble selection with replacement (Caruana et al., 2004, doi 10.1145/1015330.1015432): step by
step one more share for whichever lowers it most, until none helps. Those without a share are not
used. The penalty is chosen on validation tiles.

The answer is linear in averages over pixels of normalised features, so it is a fusion by ``concat``
and a linear layer, which EosFM runs like any other.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eosfm.core.splits import Splits
from eosfm.encoding.input import SPECTRAL
from eosfm.evaluation.examine import examine, shown_tiles
from eosfm.evaluation.fit import Keep
from eosfm.evaluation.probe import PooledProbe
from eosfm.evaluation.result import Fit, Scores
from eosfm.evaluation.trial import Trial
from eosfm.features.device import device
from eosfm.features.frozen import FrozenFeatures, chunks, only
from eosfm.features.source import Request
from eosfm.kinds.examples import spread
from eosfm.kinds.scores import better
from eosfm.params import Fusion

SAMPLES = 1000
"""Tiles, at most, by which specialists are weighed and features are scaled."""

CHUNK = 64
"""Tiles that are read at once."""

SHARES = 8
"""Steps of the selection, at most."""

GAIN = 0.01
"""Part of the error that a step must take away; one that does not is not taken."""

WEIGHING = (0.03, 0.3, 3.0)
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Ridge penalties while specialists are weighed, and at last; 1 is a sample's mean square."""

SHARPNESS = tuple(2.0**k for k in range(-2, 9))
"""What regression's answers, 0 to 1, may be multiplied by to be logits."""


def fit_ridge(
    splits: Splits[FrozenFeatures],
    trial: Trial,
    fusion: Fusion,
    limit: int | None = None,
    keep: Keep | None = None,
) -> tuple[Fit, list[str]]:
    """Weigh the specialists, solve, choose the penalty on validation tiles, and test once.

    Args:
        splits: Pooled features.
        trial: The task; the seed decides nothing.
        fusion: Tells how the features are normalised.
        limit: Specialists to use, at most.
        keep: Receives the model, its fit, and what it predicts for the tiles that a picture shows.

    Returns:
        The fit, and the specialists in use.
    """
    every = PooledProbe(fusion, splits.train.inputs, trial)
    shares = weigh(*_sample(splits.train, every, trial), _owners(splits.train, every), limit)
    splits = only(splits, list(shares))
    if SPECTRAL not in shares:
        splits = splits.map(FrozenFeatures.without_bands)
    model = PooledProbe(fusion, splits.train.inputs, trial)
    solutions = _solve(splits.train, model, trial, shares)
    scores, best = _choose(splits.val, model, trial, solutions)
    model.head.set(*best)
    model.to(device())
    shown = [] if keep is None else shown_tiles(splits.test, trial)
    (tested,) = examine([model], splits.test, trial, shown)
    fit = Fit(scores, tested.scores, 0, tested.tiles)
    if keep is not None:
        keep(model, fit, tested.answers)
    return fit, splits.train.specialists


def weigh(
    features: Tensor, truth: Tensor, owners: list[str], limit: int | None = None
) -> dict[str, float]:
    """The weight of each specialist in use, and of the bands; they sum to 1.

    Args:
        features: (N, C).
        truth: (N, K) targets.
        owners: The specialist of each of the C, or :data:`SPECTRAL`, which is none.
        limit: How many specialists may be used, at most.
    """
    names = list(dict.fromkeys(owners))
    specialists = [name for name in names if name != SPECTRAL]
    x = _standardised(features)
    kernels = {}
    for name in names:
        own = x[:, [owner == name for owner in owners]]
        kernels[name] = own @ own.T / own.shape[1]
    shares = dict.fromkeys(names, 0)
    whole, lowest = torch.zeros(len(x), len(x), dtype=x.dtype), torch.inf
    for step in range(1, SHARES + 1):
        used = [name for name in specialists if shares[name]]
        open_to = used if limit is not None and len(used) >= limit else specialists
        if used and SPECTRAL in names:  # alone, the bands are no ensemble
            open_to = [*open_to, SPECTRAL]
        errors = {n: _left_out_error((whole + kernels[n]) / step, truth) for n in open_to}
        best = min(errors, key=errors.__getitem__)
        if errors[best] > (1 - GAIN) * lowest:
            break
        lowest = errors[best]
        whole = whole + kernels[best]
        shares[best] += 1
    return {name: share / sum(shares.values()) for name, share in shares.items() if share}


def _left_out_error(kernel: Tensor, truth: Tensor) -> float:
    """Mean squared error on each sample of the regression without it, of the best penalty.

    The constant is fitted without it as well: of a mean over all samples, the others would tell
    what is left out.
    """
    unit = kernel.diagonal().mean()
    spectrum, vectors = torch.linalg.eigh(kernel)
    errors = []
    for penalty in WEIGHING:
        inverse = (vectors / (spectrum.clamp_min(0) + penalty * unit)) @ vectors.T
        constant = inverse.sum(1)
        inverse = inverse - torch.outer(constant, constant) / constant.sum()
        errors.append((inverse @ truth / inverse.diagonal()[:, None]).square().mean())
    return float(torch.stack(errors).min())


class _Layer(NamedTuple):
    """A linear layer's (K, C) weight and (K,) bias."""

    weight: Tensor
    bias: Tensor


def _solve(
    split: FrozenFeatures, model: PooledProbe, trial: Trial, shares: Mapping[str, float]
) -> list[_Layer]:
    """The solution of each penalty, for features as they come."""
    features, _ = _sample(split, model, trial)
    owners = _owners(split, model)
    weights = torch.tensor([shares.get(name, 0.0) / owners.count(name) for name in owners])
    scale = weights.sqrt() / features.std(0).clamp_min(1e-6)
    shift = features.mean(0)
    moments = _Moments(len(owners), len(trial.task.classes), dual=len(split) <= len(owners))
    for x, y in _known(split, model, trial):
        moments.add((x - shift) * scale, y)
    layers = []
    for solution, bias in moments.solve(PENALTIES):
        weight = solution * scale[:, None]
        layers.append(_Layer(weight.T, bias - shift @ weight))
    return layers


class _Moments:
    """What ridge regression needs of its samples: sums, or where these are few, themselves."""

    def __init__(self, features: int, targets: int, dual: bool) -> None:
        size = 0 if dual else features
        self.dual, self.count = dual, 0
        self.rows: list[tuple[Tensor, Tensor]] = []
        self.x = torch.zeros(features, dtype=torch.float64)
        self.y = torch.zeros(targets, dtype=torch.float64)
        self.gram = torch.zeros(size, size, dtype=torch.float64)
        self.cross = torch.zeros(size, targets, dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor) -> None:
        """Count some samples: (B, C) features and (B, K) targets, float64."""
        self.count += len(x)
        self.x += x.sum(0)
        self.y += y.sum(0)
        if self.dual:
            self.rows.append((x, y))
        else:
            self.gram += x.T @ x
            self.cross += x.T @ y

    def solve(self, penalties: Sequence[float]) -> Iterator[tuple[Tensor, Tensor]]:
        """(C, K) weights and (K,) bias for each penalty."""
        mean, level = self.x / self.count, self.y / self.count
        if self.dual:
            rows, truth = (torch.cat(parts) for parts in zip(*self.rows, strict=True))
            rows, right = rows - mean, truth - level
            gram = rows @ rows.T
        else:
            gram = self.gram - self.count * torch.outer(mean, mean)
            right = self.cross - self.count * torch.outer(mean, level)
        unit = gram.trace() / self.count
        for penalty in penalties:
            shifted = gram + penalty * unit * torch.eye(len(gram), dtype=gram.dtype)
            weights = torch.cholesky_solve(right, torch.linalg.cholesky(shifted))
            weights = rows.T @ weights if self.dual else weights
            yield weights, level - mean @ weights


def _choose(
    split: FrozenFeatures, model: PooledProbe, trial: Trial, layers: Sequence[_Layer]
) -> tuple[Scores, _Layer]:
    """The scores on a split of the layer that does best, and that layer, giving logits."""
    answers, truth = [], []
    for x, target in _vectors(split, model):
        answers.append(torch.stack([x @ layer.weight.T + layer.bias for layer in layers]))
        truth.append(target)
    target, metric = torch.cat(truth), trial.task.metric
    best: tuple[Scores, _Layer] | None = None
    for layer, answer in zip(layers, torch.cat(answers, dim=1).float(), strict=True):
        metrics = trial.build_metrics()
        sharpness = _sharpness(answer - 0.5, target, trial)
        metrics.update(sharpness * (answer - 0.5), target)
        scores = {name: float(value) for name, value in metrics.compute().items()}
        if best is None or better(metric, scores[metric], best[0][metric]):
            best = scores, _Layer(sharpness * layer.weight, sharpness * (layer.bias - 0.5))
    assert best is not None
    return best


def _sharpness(margin: Tensor, target: Tensor, trial: Trial) -> float:
    """What makes regression's answers, less a half, the likeliest logits of a split's labels."""
    loss = trial.build_loss()
    return min(SHARPNESS, key=lambda factor: float(loss(factor * margin, target)))


def _sample(split: FrozenFeatures, model: PooledProbe, trial: Trial) -> tuple[Tensor, Tensor]:
    """Features and targets of tiles that are spread evenly, float64."""
    some = split.take(np.array(spread(len(split), SAMPLES)))
    x, y = zip(*_known(some, model, trial), strict=True)
    return torch.cat(x), torch.cat(y)


def _known(
    split: FrozenFeatures, model: PooledProbe, trial: Trial
) -> Iterator[tuple[Tensor, Tensor]]:
    """(B, C) features and (B, K) targets of labelled tiles, 0 or 1, some at a time, float64."""
    for x, target in _vectors(split, model):
        known = target != trial.task.ignore_index
        if target.ndim == 1:
            x, y = x[known], F.one_hot(target[known], len(trial.task.classes))
        else:
            x, y = x[known.all(1)], target[known.all(1)]
        yield x, y.double()


def _vectors(split: FrozenFeatures, model: PooledProbe) -> Iterator[tuple[Tensor, Tensor]]:
    """(B, C) features, dates merged, float64, and targets, some tiles at a time."""
    for inputs, target in split.batches(map(Request, chunks(len(split), CHUNK))):
        yield model.pooled(inputs).double().cpu(), target.cpu()


def _owners(split: FrozenFeatures, model: PooledProbe) -> list[str]:
    """The specialist of each feature: level by level, in each date by date, pyramid by pyramid."""
    return [
        spec.name
        for level, width in enumerate(model.merge.out_channels)
        for _ in range(width // sum(spec.channels[level] for spec in split.inputs))
        for spec in split.inputs
        for _ in range(spec.channels[level])
    ]


def _standardised(x: Tensor) -> Tensor:
    return (x - x.mean(0)) / x.std(0).clamp_min(1e-6)
