"""The baseline that knows no texture: a linear model of pixel values, or of band statistics."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from eosfm.core.splits import Splits
from eosfm.evaluation.examine import Examined, Tally
from eosfm.evaluation.result import Fit, Scores, TaskResult
from eosfm.evaluation.summary import summarise
from eosfm.evaluation.trial import Trial
from eosfm.features import processes
from eosfm.features.reading import Reading
from eosfm.features.source import Request
from eosfm.heads.linear_model import LinearModel, band_statistics, pixel_values
from eosfm.kinds.scores import best_of

PIXELS = 20_000
"""Labelled training pixels in total, equally many per tile, and at least one of each."""

PENALTIES = (1e-6, 1e-5, 1e-4, 1e-2, 1.0, 10.0)
"""Weights of the squared norm beside the loss; the validation score decides."""

STEPS = 60
"""Iterations of L-BFGS, at most."""


def linear_baseline(
    trial: Trial, model: LinearModel, val: Scores, readings: Splits[Reading]
) -> TaskResult:
    """Test a linear model that sees pixel values or band statistics, but no spatial context.

    Args:
        trial: The trial that it was fitted in.
        model: Result of :func:`best_linear`.
        val: Its scores on validation tiles.
        readings: The task's images.
    """
    test = _examine(model, readings.test.whole(), trial)
    fit = Fit(val, test.scores, 0, test.tiles)
    return summarise(trial.task, [fit], len(readings.train.indices))


def best_linear(trial: Trial, readings: Splits[Reading]) -> tuple[LinearModel, Scores]:
    """The linear model of the penalty that does best on validation tiles, and its scores there.

    Pixel tasks: of the values of all bands at all dates, per pixel. Image tasks: of the mean and
    the standard deviation of each band and date over the tile. The loss is the task's own. The
    trial's seed decides which pixels are read; the fit itself has no randomness.
    """
    train, val = readings.train.whole(), readings.val.whole()
    features, targets = _training_samples(trial, train)
    models = {penalty: fit_linear(features, targets, trial, penalty) for penalty in PENALTIES}
    scores = {penalty: _examine(model, val, trial).scores for penalty, model in models.items()}
    metric = trial.task.metric
    best = best_of(metric, {penalty: found[metric] for penalty, found in scores.items()})
    return models[best], scores[best]


def fit_linear(features: Tensor, targets: Tensor, trial: Trial, penalty: float) -> LinearModel:
    """Minimise the task's loss plus ``penalty`` times the squared weights, on all samples."""
    model = LinearModel.scaled_to(features, targets, len(trial.task.classes))
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


def _training_samples(trial: Trial, reading: Reading) -> tuple[Tensor, Tensor]:
    """(N, C) features of labelled pixels, or of tiles, and their targets."""
    if trial.task.kind.answer == "image":
        parts = [
            (band_statistics(images), target)
            for images, target in _images(reading, reading.chunks())
        ]
    else:
        rng = np.random.default_rng(trial.seed)
        most = max(1, PIXELS // len(reading))
        parts = [
            _labelled_pixels(image, target, most, trial.task.ignore_index, rng)
            for images, targets in _images(reading, reading.chunks())
            for image, target in zip(pixel_values(images), targets, strict=True)
        ]
    features, targets = zip(*parts, strict=True)
    return torch.cat(features), torch.cat(targets)


def _labelled_pixels(
    image: Tensor, target: Tensor, most: int, ignore_index: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Some pixels of a (H, W, C) image that have a target."""
    known = ~target.isnan() if target.is_floating_point() else target != ignore_index
    places = known.flatten().nonzero()[:, 0].numpy()
    chosen = torch.from_numpy(rng.choice(places, min(most, len(places)), replace=False))
    return image.flatten(0, 1)[chosen], target.flatten()[chosen]


def _images(reading: Reading, chunks: list[Request]) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and targets, chunk by chunk; the model is too small for a GPU."""
    for images, target in reading.stream(chunks):
        yield images.cpu(), target.cpu() if target.is_floating_point() else target.cpu().long()


@torch.no_grad()
def _examine(model: LinearModel, reading: Reading, trial: Trial) -> Examined:
    """What the model does on one split."""
    tally, per_image = Tally(trial), trial.task.kind.answer == "image"
    for images, target in _images(reading, processes.share(reading.chunks())):
        tally.update(
            model(band_statistics(images)) if per_image else model.of_pixels(images), target
        )
    return tally.share().examined()
