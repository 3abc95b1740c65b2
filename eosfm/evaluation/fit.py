"""Training a head: the one protocol for the ensemble and every baseline.

AdamW with one cycle of the learning rate, the official splits, the best validation epoch tested
once (PANGAEA, arXiv 2412.04204).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from eosfm.core.results import Fit, Scores
from eosfm.core.splits import Splits
from eosfm.evaluation.trial import Trial, run_fits, seeded
from eosfm.features.encode import device
from eosfm.features.windows import Windows
from eosfm.heads.optim import build_optimizer, build_schedule
from eosfm.kinds.scores import better

GRADIENT_NORM = 1.0
"""Gradients of a larger norm are scaled down to it."""

Log = Callable[[dict[str, float], int], None]


class Source(Protocol):
    """A split of a task: what a model reads, and the targets."""

    @property
    def targets(self) -> Tensor:
        """Targets by tile."""
        ...

    @property
    def windows(self) -> Windows:
        """How tiles are cut."""
        ...

    def __len__(self) -> int:
        """Number of items: windows of tiles."""
        ...

    def batch(self, items: np.ndarray) -> tuple[Any, Tensor]:
        """Inputs and targets of some items."""
        ...


def fit_all(
    build: Callable[[Trial], nn.Module],
    splits: Splits[Any],
    trials: Sequence[Trial],
    log: Log | None = None,
) -> list[Fit]:
    """Fit and test a model once per trial.

    Args:
        build: Makes the model, its random numbers being those of the trial.
        splits: A :class:`Source` each.
        trials: One per seed.
        log: Receives each epoch of the first fit.

    Returns:
        One per trial, scores of single classes included.
    """

    def one(trial: Trial, follow: Log | None) -> Fit:
        with seeded(trial):
            model = build(trial)
        scores, epoch = fit(model, splits.train, splits.val, trial, log=follow)
        return Fit(scores, score(model, splits.test, trial), epoch)

    jobs = {n: partial(one, trial, None if n else log) for n, trial in enumerate(trials)}
    return list(run_fits(jobs).values())


def fit(
    model: nn.Module, train: Source, val: Source, trial: Trial, *, log: Log | None = None
) -> tuple[Scores, int]:
    """Train ``model``; leave it at its best validation epoch.

    Args:
        model: Called as ``model(inputs, size)``; what requires no gradient is not trained.
        train: The labelled training items.
        val: The validation items.
        trial: Task, protocol and seed.
        log: Receives the mean loss and the validation score of each epoch.

    Returns:
        The best epoch's validation metrics, and its number counted from 1.
    """
    metric, name = trial.task.metric, trial.task.name
    epochs, steps = trial.task.protocol.epochs, steps_per_epoch(trial, train)
    best = _Best(metric)
    model.to(device())
    training = Training(model, trial, epochs * steps)
    with tqdm(total=epochs * steps, desc=name, unit="batch", disable=None, leave=False) as bar:
        for epoch in range(1, epochs + 1):
            losses = []
            for loss in training.steps(train, steps, epoch):
                losses.append(loss)
                bar.update()
            scores = score(model, val, trial)
            if log is not None:
                mean_loss = float(torch.stack(losses).mean())
                log({"loss": mean_loss, f"val_{metric}": scores[metric]}, epoch)
            best.offer(scores, epoch, model)
    model.load_state_dict(best.state)
    return best.scores, best.epoch


def steps_per_epoch(trial: Trial, train: Source) -> int:
    """Batches of an epoch: the protocol's number, or one pass."""
    protocol = trial.task.protocol
    return protocol.steps_per_epoch or max(1, len(train) // protocol.batch_size)


class Training:
    """Steps on a task's loss; with one cycle of the learning rate where the length is known."""

    def __init__(self, model: nn.Module, trial: Trial, length: int | None) -> None:
        rate = trial.task.protocol.lr
        self.model, self.trial = model, trial
        self.loss = trial.build_loss().to(device())
        self.optimizer = build_optimizer(model, rate)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.schedule = None if length is None else build_schedule(self.optimizer, rate, length)

    def steps(self, train: Source, count: int, epoch: int) -> Iterator[Tensor]:
        """Take ``count`` steps, giving the loss of each."""
        self.model.train()
        size, order = self.trial.task.protocol.batch_size, (self.trial.seed, epoch)
        for items in _batches(len(train), count, size, order):
            inputs, target = _to(train.batch(items), device())
            loss = self.loss(self.model(inputs, train.windows.size), target)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM)
            self.optimizer.step()
            if self.schedule is not None:
                self.schedule.step()
            yield loss.detach()


class _Best:
    """The best validation epoch so far."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.scores: Scores = {}
        self.epoch = 0
        self.state: dict[str, Tensor] = {}

    def offer(self, scores: Scores, epoch: int, model: nn.Module) -> None:
        """Keep this epoch if it beats the best; the earlier one of equals stays."""
        metric = self.metric
        if not self.scores or better(metric, scores[metric], self.scores[metric]):
            self.scores, self.epoch = scores, epoch
            self.state = {key: value.clone() for key, value in model.state_dict().items()}


def score(model: nn.Module, source: Source, trial: Trial) -> Scores:
    """Every metric of the task's kind on one split, windows blended into whole tiles."""
    where, windows = device(), source.windows
    model.eval()
    metrics = trial.build_metrics().to(where)
    count = len(source.targets)
    step = max(1, 2 * trial.task.protocol.batch_size // windows.count)
    with torch.inference_mode():
        for start in range(0, count, step):
            tiles = np.arange(start, min(start + step, count))
            inputs, _ = _to(source.batch(windows.items(tiles)), where)
            logits = windows.blend(model(inputs, windows.size))
            metrics.update(logits, source.targets[tiles].to(where))
    return {name: float(value) for name, value in metrics.compute().items()}


def _batches(count: int, batches: int, size: int, seed: tuple[int, int]) -> list[np.ndarray]:
    """The items of each batch of an epoch: as many permutations as it takes."""
    rng = np.random.default_rng(seed)
    size = min(size, count)
    rounds = -(-batches * size // count)
    order = np.concatenate([rng.permutation(count) for _ in range(rounds)])
    return [order[i * size : (i + 1) * size] for i in range(batches)]


def _to(data: Any, where: torch.device) -> Any:
    """Move tensors in nested lists to a device."""
    if isinstance(data, Tensor):
        return data.to(where)
    return type(data)(_to(item, where) for item in data)
