"""Late fusion: averages a head on frozen features with a linear model of pixel values.

Features start at stride 4, so a head trained on few tiles misses what only the values of single
pixels tell apart. The outputs are averaged, as probabilities or values, with a weight chosen on
validation tiles (score-level fusion; Kittler et al., 1998, doi:10.1109/34.667881).
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from eosfm.core.splits import Splits
from eosfm.evaluation.examine import Tally, blended
from eosfm.evaluation.linear_baseline import best_linear
from eosfm.evaluation.result import Scores
from eosfm.evaluation.trial import Trial
from eosfm.features.device import device
from eosfm.features.frozen import TaskSplit
from eosfm.features.reading import Reading
from eosfm.features.source import Derived, Request
from eosfm.features.task import Task
from eosfm.heads.linear_model import LinearModel
from eosfm.kinds.pixel import PixelKind
from eosfm.kinds.scores import best_of

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
"""Candidate weights of the linear model; never 1, so the head always counts."""


@dataclass(frozen=True)
class PixelVoter:
    """The linear model, and where it sees the pixels.

    Attributes:
        model: See :func:`eosfm.evaluation.linear_baseline.best_linear`.
        val: The images of the validation tiles, in the windows of the features.
        test: Those of the test tiles.
    """

    model: LinearModel
    val: Reading
    test: Reading


def pixel_voter(trial: Trial, readings: Splits[Reading]) -> PixelVoter | None:
    """Fit the pixel model of a task; None where the task has no late fusion.

    Args:
        trial: The first fit of the task.
        readings: The task's images; of the training split, the labelled tiles.
    """
    if not fuses_late(trial.task):
        return None
    return PixelVoter(best_linear(trial, readings)[0], readings.val, readings.test)


def fuses_late(task: Task) -> bool:
    """Whether the protocol asks for late fusion and the labels are per pixel."""
    return task.protocol.late_fusion and task.kind.answer == "pixel"


class LateFusion(nn.Module):
    """A fitted model and the linear model, averaged.

    Args:
        model: Called as ``model(inputs, size)``.
        voter: The linear model.
        kind: Defines the average of two outputs.
        share: Weight of the linear model.
    """

    def __init__(self, model: nn.Module, voter: LinearModel, kind: PixelKind, share: float) -> None:
        super().__init__()
        self.model, self.voter, self.kind, self.share = model, voter, kind, share

    def forward(self, inputs: tuple[tuple[Any, Tensor], Tensor], size: tuple[int, int]) -> Tensor:
        """Logits from ((the model's features, images (B, T, C, H, W)), days)."""
        (features, images), days = inputs
        own = self.model((features, days), size).float()
        mixed: Tensor = self.kind.mix(own, self.voter.of_pixels(images), self.share)
        return mixed


class _Both(LateFusion):
    """The answers of both, one after the other in the channels."""

    def forward(self, inputs: tuple[tuple[Any, Tensor], Tensor], size: tuple[int, int]) -> Tensor:
        """(B, 2K, H, W)."""
        (features, images), days = inputs
        return torch.cat([self.model((features, days), size), self.voter.of_pixels(images)], dim=1)


@dataclass(frozen=True)
class _Beside(Derived[tuple[Any, Tensor]]):
    """What another source gives, with the images of the same windows."""

    images: Reading

    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[tuple[Any, Tensor], Tensor]]:
        """Read both."""
        requests = list(requests)
        pairs = zip(self.source.stream(requests), self.images.stream(requests), strict=True)
        return (((features, images), target) for (features, target), (images, _) in pairs)


def with_images(split: TaskSplit[Any], images: Reading) -> TaskSplit[tuple[Any, Tensor]]:
    """A validation or test split whose inputs have the images beside them."""
    source = _Beside(split.source, images)
    return TaskSplit(source, split.days, split.windows, split.live)


def fuse(
    models: Sequence[nn.Module], voter: PixelVoter, val: TaskSplit[Any], trial: Trial
) -> list[tuple[LateFusion, Scores]]:
    """Fuse each fitted model by the weight with the best validation score; return both.

    Ties take the smaller weight. All weights are scored in one pass.
    """
    task, kind = trial.task, trial.task.kind
    assert isinstance(kind, PixelKind)
    linear = deepcopy(voter.model).to(device())  # fitted on the CPU, and still in use there
    both = [_Both(model, linear, kind, 0.0) for model in models]
    tallies = [{share: Tally(trial) for share in SHARES} for _ in models]
    for _, answers, target in blended(both, with_images(val, voter.val), trial):
        for answer, by_share in zip(answers, tallies, strict=True):
            own, other = answer.chunk(2, dim=1)
            for share, tally in by_share.items():
                tally.update(kind.mix(own, other, share), target)
    fused = []
    for model, by_share in zip(models, tallies, strict=True):
        scores = {share: tally.share().examined().scores for share, tally in by_share.items()}
        metric = task.metric
        share = best_of(metric, {share: found[metric] for share, found in scores.items()})
        fused.append((LateFusion(model, linear, kind, share), scores[share]))
    return fused


def share_of(model: nn.Module) -> float:
    """Weight of the linear model in a model's output, 0 without late fusion."""
    return model.share if isinstance(model, LateFusion) else 0.0
