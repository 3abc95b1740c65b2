"""The baseline that knows no texture: a linear model of pixel values, or of band statistics."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eosfm.evaluation.fit import Trial, summarise, task_loss
from eosfm.features.store import Reading
from eosfm.features.windows import Windows
from eosfm.kinds import build_metrics
from eosfm.kinds.heads import IMAGE_KINDS

PIXELS = 20_000
"""Training pixels, at most, as many of each tile."""

PENALTIES = (1e-4, 1e-2, 1.0)
"""Weights of the squared norm beside the loss; the validation score decides."""

STEPS = 60
"""Iterations of L-BFGS, at most."""


def statistics_baseline(sources: Sequence[Reading], trial: Trial) -> dict[str, Any]:
    """Fit and test a linear model of what can be said about a pixel, or a tile, without its place.

    Pixel tasks: the values of all bands at all dates, per pixel. Image tasks: the mean and the
    standard deviation of each band and date over the tile. The loss is the task's own.

    Args:
        sources: Training, validation and test tiles.
        trial: The task; its seed decides which pixels are read. The fit itself has no randomness.

    Returns:
        See :func:`eosfm.evaluation.fit.summarise`.
    """
    whole = Windows(trial.windows.tile, trial.windows.tile, ((0, 0),))
    train, val, test = (replace(source, windows=whole) for source in sources)
    inputs, targets = _training_samples(train, trial)
    sign = -1 if trial.task.metric == "rmse" else 1
    fits = []
    for penalty in PENALTIES:
        model = fit_linear(inputs, targets, trial, penalty)
        scores = _score(model, val, trial)
        fits.append((sign * scores[trial.task.metric], model, scores))
    _, model, scores = max(fits, key=lambda fit: fit[0])
    return summarise([{"val": scores, "test": _score(model, test, trial), "best_epoch": 0}], trial)


class Linear(nn.Module):
    """A linear map of (..., C) standardised features; regression in the target's unit."""

    def __init__(self, features: Tensor, targets: Tensor, classes: int) -> None:
        super().__init__()
        self.center, self.scale = features.mean(0), features.std(0).clamp_min(1e-6)
        self.shift, self.unit = torch.zeros(()), torch.ones(())
        if targets.is_floating_point():
            known = targets[~targets.isnan()]
            self.shift, self.unit = known.mean(), known.std().clamp_min(1e-6)
        self.weight = nn.Parameter(torch.zeros(features.shape[1], classes))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, features: Tensor) -> Tensor:
        """Logits (..., K), or values (..., 1)."""
        normal = (features - self.center) / self.scale
        return self.shift + self.unit * (normal @ self.weight + self.bias)


def fit_linear(features: Tensor, targets: Tensor, trial: Trial, penalty: float) -> Linear:
    """Minimise the task's loss plus ``penalty`` times the squared weights, on all samples."""
    store = trial.store
    model = Linear(features, targets, len(store.classes))
    loss_of = task_loss(trial, targets)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        fault = loss_of(model(features), targets) / model.unit**2
        total = fault + penalty * model.weight.square().sum()
        total.backward()
        return total

    optimizer.step(closure)
    return model


def describe(images: Tensor, kind: str) -> Tensor:
    """What the model sees: (B, 2TC) band statistics, or (B, H, W, TC) pixel values."""
    bands = images.flatten(1, 2)
    if kind in IMAGE_KINDS:
        return torch.cat([bands.mean(dim=(-2, -1)), bands.std(dim=(-2, -1))], dim=1)
    return bands.permute(0, 2, 3, 1)


def _training_samples(source: Reading, trial: Trial) -> tuple[Tensor, Tensor]:
    """(N, C) features and their targets."""
    rng = np.random.default_rng(trial.seed)
    features, targets = [], []
    for items in source.chunks():
        images, target = source.images(items)
        seen = describe(images, trial.store.kind)
        if trial.store.kind not in IMAGE_KINDS:
            height, width = seen.shape[1:3]
            count = min(max(1, PIXELS // len(source)), height * width)
            chosen = torch.from_numpy(rng.choice(height * width, count, replace=False))
            seen = seen.flatten(1, 2)[:, chosen].flatten(0, 1)
            target = target.flatten(1)[:, chosen].flatten()
        features.append(seen)
        targets.append(target)
    return torch.cat(features), torch.cat(targets)


@torch.no_grad()
def _score(model: Linear, source: Reading, trial: Trial) -> dict[str, float]:
    """Every metric of the task's kind on one split."""
    store = trial.store
    metrics = build_metrics(store.kind, store.classes, store.ignore_index)
    for items in source.chunks():
        images, target = source.images(items)
        logits = model(describe(images, store.kind))
        metrics.update(logits if logits.ndim == 2 else logits.permute(0, 3, 1, 2), target)
    return {name: float(value) for name, value in metrics.compute().items()}
