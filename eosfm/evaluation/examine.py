"""Scoring models on a split, windows blended into whole tiles."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from eosfm.evaluation.learner import answer
from eosfm.evaluation.result import Scores
from eosfm.evaluation.trial import Trial
from eosfm.features import processes
from eosfm.features.device import to_device
from eosfm.features.frozen import TaskSplit, chunks
from eosfm.features.source import Request

Answers = dict[int, Tensor]
"""Predictions in the form of targets, by tile index."""


class Examined(NamedTuple):
    """A model's results on a split.

    Attributes:
        scores: Every metric of the task's kind.
        tiles: (N, ...) per-tile evidence behind the scores (:mod:`eosfm.kinds.evidence`).
        answers: Predictions for the requested tiles.
    """

    scores: Scores
    tiles: np.ndarray
    answers: Answers


class Tally:
    """Accumulates one model's per-tile evidence and predictions, batch by batch."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._tiles: list[Tensor] = []
        self._answers: Answers = {}

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Add a batch of whole tiles."""
        self._tiles.append(self._trial.evidence(logits, target).cpu())

    def keep(self, logits: Tensor, rows: dict[int, int]) -> None:
        """Keep a batch's answers for some tiles.

        Args:
            logits: (B, ...).
            rows: Where in the batch each tile is.
        """
        for tile, row in rows.items():
            self._answers[tile] = self._trial.task.kind.predict(logits[row, None])[0].cpu()

    def share(self) -> Self:
        """Add what the other processes found, with whom the batches were shared."""
        self._tiles = processes.together(self._tiles)
        self._answers = dict(processes.together(list(self._answers.items())))
        return self

    def examined(self) -> Examined:
        """All batches together."""
        tiles = torch.cat(self._tiles).numpy()
        return Examined(self._trial.scores(tiles), tiles, self._answers)


def score(models: Sequence[nn.Module], split: TaskSplit[Any], trial: Trial) -> list[Scores]:
    """Every metric of the task's kind for each model."""
    return [examined.scores for examined in examine(models, split, trial)]


def shown_tiles(split: TaskSplit[Any], trial: Trial) -> list[int]:
    """The tiles of a split that a picture shows."""
    task, source = trial.task, split.source
    return task.kind.examples(
        len(split), lambda tile: next(source.targets([tile])), task.ignore_index
    )


def examine(
    models: Sequence[nn.Module], split: TaskSplit[Any], trial: Trial, shown: Collection[int] = ()
) -> list[Examined]:
    """Run and score each model on a split.

    Args:
        models: Called as ``model(inputs, size)``.
        split: The tiles.
        trial: A fit of the task.
        shown: The tiles whose predictions are kept.
    """
    tallies = [Tally(trial) for _ in models]
    for tiles, answers, target in blended(models, split, trial):
        rows = {tile: row for row, tile in enumerate(tiles.tolist()) if tile in shown}
        for logits, tally in zip(answers, tallies, strict=True):
            tally.update(logits, target)
            tally.keep(logits, rows)
    return [tally.share().examined() for tally in tallies]


def blended(
    models: Sequence[nn.Module], split: TaskSplit[Any], trial: Trial
) -> Iterator[tuple[np.ndarray, list[Tensor], Tensor]]:
    """Batches of whole tiles: their indices, each model's blended logits, and the targets.

    Of several processes, each has its share of the batches (:meth:`Tally.share`).
    """
    windows = split.windows
    for model in models:
        model.eval()
    step = max(1, 2 * trial.task.protocol.batch_size // windows.count)
    parts = processes.share(chunks(len(split), step))
    batches = split.batches([Request(windows.items(tiles)) for tiles in parts])
    for tiles, (inputs, target) in zip(parts, batches, strict=True):
        inputs, target = to_device((inputs, target))
        with torch.inference_mode():
            answers = [windows.blend(answer(model, inputs, windows.size)) for model in models]
        yield tiles, answers, windows.join(target)
