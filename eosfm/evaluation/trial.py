"""Settings of one fit of a task (task, target statistics, seed), and running several fits."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from eosfm.core.allocator import return_freed_memory
from eosfm.core.parallel import run_together
from eosfm.evaluation.result import Scores
from eosfm.features import processes
from eosfm.features.device import device
from eosfm.features.task import Task
from eosfm.kinds.targets import TargetStatistics

K = TypeVar("K")
T = TypeVar("T")

_DRAWING = threading.Lock()


@dataclass(frozen=True)
class Trial:
    """The settings of one fit, besides the model and the features.

    Attributes:
        task: The task.
        statistics: Of the labelled training targets.
        seed: Decides initial weights, and the order of the batches unless fits share one.
    """

    task: Task
    statistics: TargetStatistics
    seed: int

    def settings(self) -> tuple[object, ...]:
        """What decides the fit, in plain values."""
        apart = {"store", "kind", "workers", "devices", "protocol"}
        task = {key: value for key, value in vars(self.task).items() if key not in apart}
        protocol = self.task.protocol.model_copy(update={"workers": 0})
        return task, protocol, self.statistics, self.seed

    def build_head(self, channels: Sequence[int]) -> nn.Module:
        """A fresh head for four maps of so many channels."""
        task, width = self.task, self.task.protocol.decoder_channels
        return task.kind.build_head(task.head, channels, len(task.classes), width, self.statistics)

    def build_loss(self) -> nn.Module:
        """The task's loss, classes weighted if the protocol asks for it."""
        kind, weights = self.task.kind, None
        # A regression has no classes to weight.
        if self.task.protocol.class_weights == "balanced" and self.statistics.counts:
            weights = kind.class_weights(self.statistics)
        return kind.build_loss(self.task.loss, self.task.ignore_index, weights)

    def evidence(self, logits: Tensor, target: Tensor) -> Tensor:
        """(B, ...), what each tile of a batch contributes to the scores."""
        return self.task.kind.evidence.by_tile(logits, target, self.task.ignore_index)

    def scores(self, tiles: np.ndarray) -> Scores:
        """Every metric of the task's kind, from what all tiles of a split contribute."""
        return self.task.kind.evidence.whole(tiles, self.task.classes, self.task.ignore_index)


def make_trials(task: Task, targets: Iterable[np.ndarray], count: int) -> list[Trial]:
    """The first ``count`` fits of a task, which the ensemble and its baselines share.

    Args:
        task: The task.
        targets: Those of labelled training tiles, one at a time.
        count: How many.

    Raises:
        EosfmError: None of them is labelled.
    """
    statistics = task.kind.target_statistics(targets, len(task.classes), task.ignore_index)
    return [Trial(task, statistics, seed) for seed in task.fit_seeds(count)]


@contextmanager
def seeded(trial: Trial) -> Iterator[None]:
    """Seed torch while a model is built; a lock lets one thread at a time do so."""
    with _DRAWING:
        torch.manual_seed(trial.seed)
        yield


def run_fits(jobs: Mapping[K, Callable[[], T]]) -> dict[K, T]:
    """Run jobs that fit models, the longest first: one by one on GPUs, else side by side."""
    lean = {name: partial(_run, job) for name, job in jobs.items()}
    if device().type == "cuda" or processes.count() > 1:
        return {name: job() for name, job in lean.items()}
    return dict(zip(jobs, run_together(list(lean.values())), strict=True))


def _run(job: Callable[[], T]) -> T:
    """Run a job, and leave none of its memory to the next, which takes it elsewhere."""
    try:
        return job()
    finally:
        return_freed_memory()
