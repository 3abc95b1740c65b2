"""The baseline that knows no texture: a linear model of pixel values, or of band statistics."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from eosfm.core.splits import Splits
from eosfm.evaluation.examine import Examined, Tally
from eosfm.evaluation.result import Fit, Scores, TaskResult
from eosfm.evaluation.summary import summarise
from eosfm.evaluation.trial import Trial, make_trials
from eosfm.features.reading import Reading
from eosfm.features.task import Task
from eosfm.kinds.scores import better

PIXELS = 20_000
"""Training pixels, at most, as many of each tile."""

PENALTIES = (1e-4, 1e-2, 1.0)
"""Weights of the squared norm beside the loss; the validation score decides."""

STEPS = 60
"""Iterations of L-BFGS, at most."""


def linear_baseline(task: Task, readings: Splits[Reading]) -> TaskResult:
    """Fit and test a linear model of what can be said about a pixel, or a tile, without its place.

    Pixel tasks: the values of all bands at all dates, per pixel. Image tasks: the mean and the
    standard deviation of each band and date over the tile. The loss is the task's own. The first
    fit's seed decides which pixels are read; the fit itself has no randomness.
    """
    whole = readings.map(lambda reading: reading.whole())
    (seed,) = task.fit_seeds(1)
    features, targets = _training_samples(task, whole.train, seed)
    # All pixels are one target to the statistics, which count tiles for labels of whole tiles.
    seen = targets.numpy()
    (trial,) = make_trials(task, seen if task.kind.answer == "image" else seen[None], 1)
    best: tuple[Linear, Scores] | None = None
    for penalty in PENALTIES:
        model = fit_linear(features, targets, trial, penalty)
        scores = _examine(model, whole.val, trial).scores
        if best is None or better(task.metric, scores[task.metric], best[1][task.metric]):
            best = model, scores
    assert best is not None
    test = _examine(best[0], whole.test, trial)
    return summarise(task, [Fit(best[1], test.scores, 0, test.tiles)], len(whole.train))


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
    model = Linear(features, targets, len(trial.task.classes))
    loss = trial.build_loss()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        error = loss(model(features), targets) / model.unit**2
        total = error + penalty * model.weight.square().sum()
        total.backward()
        return total

    optimizer.step(closure)
    return model


def describe(images: Tensor, per_image: bool) -> Tensor:
    """What the model sees: (B, 2TC) band statistics, or (B, H, W, TC) pixel values."""
    bands = images.flatten(1, 2)
    if per_image:
        return torch.cat([bands.mean(dim=(-2, -1)), bands.std(dim=(-2, -1))], dim=1)
    return bands.permute(0, 2, 3, 1)


def _training_samples(task: Task, reading: Reading, seed: int) -> tuple[Tensor, Tensor]:
    """(N, C) features and their targets."""
    rng = np.random.default_rng(seed)
    per_image = task.kind.answer == "image"
    features, targets = [], []
    for images, target in _images(reading):
        seen = describe(images, per_image)
        if not per_image:
            height, width = seen.shape[1:3]
            count = min(max(1, PIXELS // len(reading)), height * width)
            chosen = torch.from_numpy(rng.choice(height * width, count, replace=False))
            seen = seen.flatten(1, 2)[:, chosen].flatten(0, 1)
            target = target.flatten(1)[:, chosen].flatten()
        features.append(seen)
        targets.append(target)
    return torch.cat(features), torch.cat(targets)


def _images(reading: Reading) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and targets of all tiles in turn; the model is too small for a GPU."""
    for images, target in reading.stream(reading.chunks()):
        yield images.cpu(), target.cpu() if target.is_floating_point() else target.cpu().long()


@torch.no_grad()
def _examine(model: Linear, reading: Reading, trial: Trial) -> Examined:
    """What the model does on one split."""
    tally = Tally(trial)
    for images, target in _images(reading):
        logits = model(describe(images, trial.task.kind.answer == "image"))
        tally.update(logits if logits.ndim == 2 else logits.permute(0, 3, 1, 2), target)
    return tally.examined()
