"""The head ``ridge``: image labels in closed form, from the specialists and from the bands.

With a few hundred labels, training by gradient steps cannot tell which of ten thousand features
help: many weak ones drown the few strong ones. Ridge regression has an exact solution. Two are
solved, one on all specialists, each with a weight, and one on the bands, each with its own penalty.
Their outputs are averaged with a weight chosen on validation tiles, as in late fusion
(:mod:`eosfm.evaluation.late_fusion`).

A specialist's weight is the square of the R2 that it reaches alone on the validation labels.
Training labels would mislead: specialists trained on the task's own dataset have seen them and look
better there than they are.

The output is linear in pixel averages of normalised features, so it is a ``concat`` fusion and a
linear layer, which EosFM runs like any other.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Splits
from eosfm.encoding.input import SPECTRAL
from eosfm.evaluation.examine import examine, shown_tiles
from eosfm.evaluation.fit import Keep
from eosfm.evaluation.forward_selection import fill_unknown, ranked, standardised
from eosfm.evaluation.late_fusion import SHARES
from eosfm.evaluation.moments import Moments
from eosfm.evaluation.probe import PooledProbe
from eosfm.evaluation.result import Fit, Scores
from eosfm.evaluation.trial import Trial, seeded
from eosfm.features.device import device, to_device
from eosfm.features.frozen import FrozenFeatures, chunks, only
from eosfm.features.source import Request
from eosfm.heads.linear_model import deviation
from eosfm.kinds.examples import spread
from eosfm.kinds.scores import best_of
from eosfm.params import Fusion

SAMPLES = 1000
"""Most tiles of a split used to weight the specialists and to scale the features."""

FEWEST = 2
"""Fewest labelled tiles: a single one has no variance."""

CHUNK = 64
"""Tiles that are read at once."""

POWER = 2
"""Exponent that turns a specialist's R2 into its weight."""

SHARPNESS = tuple(2.0**k for k in range(-2, 9))
"""Candidate factors that turn regression outputs (0 to 1), less 0.5, into logits."""

Samples = tuple[Tensor, Tensor]
"""(N, C) features and (N, K) targets, 0 or 1, float64."""


def fit_ridge(
    splits: Splits[FrozenFeatures],
    trial: Trial,
    fusion: Fusion,
    limit: int | None = None,
    keep: Keep | None = None,
) -> tuple[Fit, list[str]]:
    """Weigh the specialists, solve, choose penalties and the bands' share, and test once.

    Args:
        splits: Pooled features.
        trial: The task; the seed decides nothing.
        fusion: Tells how the features are normalised.
        limit: Specialists to use, at most.
        keep: Receives the model, its fit, and what it predicts for the tiles that a picture shows.

    Returns:
        The fit, and the specialists in use.
    """
    every = _build(fusion, splits.train, trial)
    known, unseen = (_sample(split, every, trial) for split in (splits.train, splits.val))
    if len(known[0]) < FEWEST:
        raise EosfmError(
            f"task {trial.task.name} has {len(known[0])} labelled training tile; expected "
            f"{FEWEST} at least for ridge; raise scales.*.protocol.label_fraction"
        )
    owners = _owners(splits.train, every)
    weights = weigh(known, unseen, owners, limit)
    kept = torch.tensor([name in weights or name == SPECTRAL for name in owners])
    splits = only(splits, list(weights))
    model = _build(fusion, splits.train, trial)
    teams = [weights]
    if any(spec.spectral for spec in splits.train.inputs):
        teams.append({SPECTRAL: 1.0})
    solved = _solve(splits.train, model, trial, teams, (known[0][:, kept], known[1]))
    scores, best = _choose(splits.val, model, trial, solved)
    model.head.set(*best)
    shown = [] if keep is None else shown_tiles(splits.test, trial)
    (tested,) = examine([model], splits.test, trial, shown)
    fit = Fit(scores, tested.scores, 0, tested.tiles)
    if keep is not None:
        keep(model, fit, tested.answers)
    return fit, splits.train.specialists


def _build(fusion: Fusion, split: FrozenFeatures, trial: Trial) -> PooledProbe:
    # Its layer is solved for, but begins with random numbers like any other.
    with seeded(trial):
        return PooledProbe(fusion, split.inputs, trial).to(device())


def weigh(
    known: Samples, unseen: Samples, owners: list[str], limit: int | None = None
) -> dict[str, float]:
    """The weight of each specialist in use; they sum to 1.

    Args:
        known: Training samples.
        unseen: Validation samples, on which R2 is computed.
        owners: The specialist of each of the C features; :data:`SPECTRAL` ones are skipped.
        limit: Most specialists to use; None for all.

    Returns:
        Specialists with R2 above 0 on ``unseen``, best first; if there are none, the best one.
    """
    x, z = standardised(known[0], unseen[0])
    explained = {}
    for name in dict.fromkeys(owners):
        if name != SPECTRAL:
            own = [owner == name for owner in owners]
            explained[name] = _explained((x[:, own], known[1]), (z[:, own], unseen[1]))
    names = ranked(explained)[:limit]
    powers = {name: explained[name] ** POWER for name in names if explained[name] > 0}
    powers = powers or {names[0]: 1.0}
    return {name: power / sum(powers.values()) for name, power in powers.items()}


def _explained(known: Samples, unseen: Samples) -> float:
    """R2 of ridge regression on unseen samples, all targets together, of the best penalty."""
    (x, y), (z, answers) = known, unseen
    moments = Moments(x.shape[1], y.shape[1], dual=len(x) <= x.shape[1])
    moments.add(x, y)
    errors = [(z @ weight + bias - answers).square().mean() for weight, bias in moments.solve()]
    return float(1 - min(errors) / (answers - y.mean(0)).square().mean())


class _Layer(NamedTuple):
    """A linear layer's (K, C) weight and (K,) bias."""

    weight: Tensor
    bias: Tensor


def _solve(
    split: FrozenFeatures,
    model: PooledProbe,
    trial: Trial,
    teams: Sequence[Mapping[str, float]],
    sample: Samples,
) -> list[list[_Layer]]:
    """The solution of each team and penalty, for features as they come.

    Args:
        split: The labelled tiles.
        model: Gives their features.
        trial: The task.
        teams: Weight of each member, by team.
        sample: Some labelled tiles: their (N, C) features give the scale, their targets the mean.
    """
    owners = _owners(split, model)
    parts = [_Part.of(sample[0], owners, team) for team in teams]
    level = sample[1].mean(0)
    classes = len(trial.task.classes)
    sums = [Moments(p.width, classes, dual=len(split) <= p.width) for p in parts]
    for x, target in _vectors(split, model):
        known, y = _indicators(target, trial, level)
        labelled = x[known]
        for part, moments in zip(parts, sums, strict=True):
            moments.add((labelled[:, part.used] - part.shift) * part.scale, y)
    return [
        [part.layer(*solution) for solution in moments.solve()]
        for part, moments in zip(parts, sums, strict=True)
    ]


class _Part(NamedTuple):
    """The features of a team: (C,) mask, and for each used feature its offset and its factor."""

    used: Tensor
    shift: Tensor
    scale: Tensor

    @classmethod
    def of(cls, features: Tensor, owners: list[str], weights: Mapping[str, float]) -> "_Part":
        used = torch.tensor([name in weights for name in owners])
        own = [name for name in owners if name in weights]
        each = torch.tensor([weights[name] / owners.count(name) for name in own])
        features = features[:, used]
        return cls(used, features.mean(0), each.sqrt() / deviation(features))

    @property
    def width(self) -> int:
        return len(self.shift)

    def layer(self, solution: Tensor, bias: Tensor) -> _Layer:
        """The layer on all C raw features equal to a (width, K) solution on the scaled ones."""
        weight = solution * self.scale[:, None]
        whole = weight.new_zeros(len(bias), len(self.used))
        whole[:, self.used] = weight.T
        return _Layer(whole, bias - self.shift @ weight)


def _choose(
    split: FrozenFeatures, model: PooledProbe, trial: Trial, teams: Sequence[Sequence[_Layer]]
) -> tuple[Scores, _Layer]:
    """The best scores on a split, and the linear layer whose logits reach them.

    Each team takes the penalty with the least squared error; the weight of the second team is the
    one with the best score, the smaller on a tie.
    """
    given: list[list[Tensor]] = []
    truth = []
    for x, target in _vectors(split, model):
        given.append([torch.stack([x @ layer.weight.T + layer.bias for layer in t]) for t in teams])
        truth.append(target)
    target, metric = torch.cat(truth), trial.task.metric
    known, y = _indicators(target, trial)
    layers, answers = [], []
    for team, parts in zip(teams, zip(*given, strict=True), strict=True):
        answer = torch.cat(parts, dim=1)
        errors = (answer[:, known] - y).square().mean(dim=(1, 2))
        least = int(errors.argmin())
        layers.append(team[least])
        answers.append(answer[least])
    tried: dict[float, tuple[Scores, float]] = {}
    for share in SHARES if len(teams) > 1 else SHARES[:1]:
        margin = (torch.lerp(answers[0], answers[-1], share) - 0.5).float()
        sharpness = _sharpness(margin, target, trial)
        scores = trial.scores(trial.evidence(sharpness * margin, target).cpu().numpy())
        tried[share] = scores, sharpness
    share = best_of(metric, {share: scores[metric] for share, (scores, _) in tried.items()})
    scores, sharpness = tried[share]
    both = zip(layers[0], layers[-1], strict=True)
    weight, bias = (torch.lerp(a, b, share) for a, b in both)
    return scores, _Layer(sharpness * weight, sharpness * (bias - 0.5))


def _sharpness(margin: Tensor, target: Tensor, trial: Trial) -> float:
    """The factor on regression outputs minus 0.5 with the least loss as logits on a split."""
    loss = trial.build_loss()
    return min(SHARPNESS, key=lambda factor: float(loss(factor * margin, target)))


def _sample(split: FrozenFeatures, model: PooledProbe, trial: Trial) -> tuple[Tensor, Tensor]:
    """Features and targets of tiles that are spread evenly, float64."""
    some = split.take(np.array(spread(len(split), SAMPLES)))
    x, target = (torch.cat(parts) for parts in zip(*_vectors(some, model), strict=True))
    known, y = _indicators(target, trial)
    return x[known], y


def _indicators(target: Tensor, trial: Trial, level: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Which of (B,) tiles are labelled, and the (N, K) targets of these, 0 or 1, float64.

    In multi-label targets an unknown label is set to its mean: see :func:`fill_unknown`.
    """
    known = target != trial.task.ignore_index
    if target.ndim == 1:
        return known, F.one_hot(target[known], len(trial.task.classes)).double()
    some = known.any(1)
    return some, fill_unknown(target, known, level)[some]


def _vectors(split: FrozenFeatures, model: PooledProbe) -> Iterator[tuple[Tensor, Tensor]]:
    """(B, C) features, dates merged, float64, and targets, some tiles at a time."""
    for inputs, target in split.batches(map(Request, chunks(len(split), CHUNK))):
        yield model.pooled(to_device(inputs)).double().cpu(), target.cpu()


def _owners(split: FrozenFeatures, model: PooledProbe) -> list[str]:
    """The specialist of each feature: level by level, in each date by date, pyramid by pyramid."""
    return [
        spec.name
        for level, width in enumerate(model.merge.out_channels)
        for _ in range(width // sum(spec.channels[level] for spec in split.inputs))
        for spec in split.inputs
        for _ in range(spec.channels[level])
    ]
