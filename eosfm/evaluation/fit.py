"""Training a head: the one protocol for the ensemble and every baseline.

AdamW with one cycle of the learning rate, the official splits, the best validation epoch tested
once (PANGAEA, arXiv 2412.04204).
"""

import statistics
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from eosfm.core.parallel import run_together
from eosfm.core.seeds import derive_seed
from eosfm.features.store import device, task_dates
from eosfm.features.windows import Windows, task_windows
from eosfm.kinds import (
    LOSSES,
    balanced_weights,
    build_loss,
    build_metrics,
    gather_classes,
    target_statistics,
)
from eosfm.params import Params, ScaleProtocol, TaskParams
from eosfm.tiles.store import TileStore

GRADIENT_NORM = 1.0
"""Gradients of a larger norm are scaled down to it."""

Log = Callable[[dict[str, float], int], None]

K = TypeVar("K")
T = TypeVar("T")

_DRAWING = threading.Lock()


@dataclass(frozen=True)
class Trial:
    """What decides one fit, beside the model.

    Attributes:
        name: The task.
        task: Its settings; its metric decides which epoch is best.
        store: Its tiles: kind, classes, the value that is never scored.
        protocol: Epochs, batch size, learning rate, width of the decoder.
        windows: How tiles are cut.
        dates: Number of dates in use.
        seed: Decides initial weights and the order of the batches.
    """

    name: str
    task: TaskParams
    store: TileStore
    protocol: ScaleProtocol
    windows: Windows
    dates: int
    seed: int

    def linear(self) -> "Trial":
        """The same with a linear head, which costs a fraction and tells what the features hold."""
        return replace(self, task=self.task.model_copy(update={"head": "linear"}))


def make_trials(params: Params, name: str, store: TileStore, count: int) -> list[Trial]:
    """The first ``count`` fits of a task, which the ensemble and its baselines share."""
    return [
        Trial(
            name,
            params.task(name),
            store,
            params.current.protocol,
            task_windows(params.current.protocol, store.kind, (store.shape[2], store.shape[3])),
            len(task_dates(params, name, store)),
            derive_seed(params.seed, "evaluate", name, number),
        )
        for number in range(count)
    ]


class Source(Protocol):
    """A split of a task: what a model eats, and the targets."""

    @property
    def targets(self) -> Tensor:
        """Targets by tile."""
        ...

    def __len__(self) -> int:
        """Number of items: windows of tiles."""
        ...

    def batch(self, items: np.ndarray) -> tuple[Any, Tensor]:
        """Inputs and targets of some items."""
        ...


def repeat(
    build: Callable[[Trial], nn.Module],
    splits: Sequence[Source],
    trials: Sequence[Trial],
    log: Log | None = None,
) -> dict[str, Any]:
    """Fit and test a model once per trial; ``log`` follows the first.

    Args:
        build: Makes the model, its random numbers being those of the trial.
        splits: Training, validation and test items.
        trials: One per seed.
        log: Receives each epoch of the first fit.

    Returns:
        See :func:`summarise`.
    """

    def one(trial: Trial, follow: Log | None) -> dict[str, Any]:
        with seeded(trial):
            model = build(trial)
        scores, epoch = fit(model, splits[0], splits[1], trial, log=follow)
        return {"val": scores, "test": score(model, splits[2], trial), "best_epoch": epoch}

    jobs = {n: partial(one, trial, None if n else log) for n, trial in enumerate(trials)}
    return summarise(list(run_fits(jobs).values()), trials[0])


def run_fits(jobs: Mapping[K, Callable[[], T]]) -> dict[K, T]:
    """Run jobs that fit models, the longest first: one by one on a GPU, else side by side."""
    if device().type == "cuda":
        return {name: job() for name, job in jobs.items()}
    return dict(zip(jobs, run_together(list(jobs.values())), strict=True))


@contextmanager
def seeded(trial: Trial) -> Iterator[None]:
    """While a model is built: random numbers are the trial's, and nobody else draws any."""
    with _DRAWING:
        torch.manual_seed(trial.seed)
        yield


def summarise(fits: Sequence[dict[str, Any]], trial: Trial) -> dict[str, Any]:
    """Several fits of one task as one result.

    Returns:
        ``metric`` (the headline's name), ``val`` and ``test`` (the mean of each metric),
        ``spread`` (the standard deviation of the test metrics between fits, 0 for a single one),
        ``per_class`` (test, mean), and ``fits`` (``val``, ``test`` and ``best_epoch`` of each).
    """
    classes = trial.store.classes
    val, test = (gather_classes(_means([f[s] for f in fits]), classes) for s in ("val", "test"))
    per_class = test.pop("per_class")
    val.pop("per_class")
    by_fit = [
        {split: {key: fit[split][key] for key in test} for split in ("val", "test")}
        | {"best_epoch": fit["best_epoch"]}
        for fit in fits
    ]
    spread = {
        key: statistics.stdev(fit["test"][key] for fit in fits) if len(fits) > 1 else 0.0
        for key in test
    }
    return {
        "metric": trial.task.metric,
        "val": val,
        "test": test,
        "spread": spread,
        "per_class": per_class,
        "fits": by_fit,
    }


def _means(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric over the fits that have it; a class may occur in some only."""
    keys = dict.fromkeys(key for fit in scores for key in fit)
    return {key: statistics.fmean(fit[key] for fit in scores if key in fit) for key in keys}


def fit(
    model: nn.Module,
    train: Source,
    val: Source,
    trial: Trial,
    *,
    log: Callable[[dict[str, float], int], None] | None = None,
) -> tuple[dict[str, float], int]:
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
    metric = trial.task.metric
    epochs, steps = trial.protocol.epochs, steps_per_epoch(trial, train)
    best = _Best(metric)
    model.to(device())
    training = Training(model, task_loss(trial, train.targets), trial, epochs * steps)
    with tqdm(
        total=epochs * steps, desc=trial.name, unit="batch", disable=None, leave=False
    ) as bar:
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
    return trial.protocol.steps_per_epoch or max(1, len(train) // trial.protocol.batch_size)


def task_loss(trial: Trial, targets: Tensor) -> nn.Module:
    """The default loss of the task's kind, weighted by the labelled training targets if asked."""
    store, kind = trial.store, trial.store.kind
    weights = None
    if trial.protocol.class_weights == "balanced" and kind != "regression":
        seen = target_statistics(kind, targets.numpy(), len(store.classes), store.ignore_index)
        weights = balanced_weights(kind, seen.counts, seen.labelled)
    return build_loss(kind, LOSSES[kind][0], store.ignore_index, weights)


class Training:
    """AdamW on a task's loss; with one cycle of the learning rate where the length is known."""

    def __init__(self, model: nn.Module, loss: nn.Module, trial: Trial, length: int | None) -> None:
        rate = trial.protocol.lr
        self.model, self.trial = model, trial
        self.loss_of = loss.to(device())
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, rate, weight_decay=0.05, fused=True)
        self.schedule = None
        if length is not None:
            self.schedule = torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer, rate, total_steps=length
            )

    def steps(self, train: Source, count: int, epoch: int) -> Iterator[Tensor]:
        """Take ``count`` steps, giving the loss of each."""
        self.model.train()
        size, order = self.trial.protocol.batch_size, (self.trial.seed, epoch)
        for items in _batches(len(train), count, size, order):
            inputs, target = _to(train.batch(items), device())
            loss = self.loss_of(self.model(inputs, self.trial.windows.size), target)
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
        self.scores: dict[str, float] = {}
        self.epoch = 0
        self.state: dict[str, Tensor] = {}

    def offer(self, scores: dict[str, float], epoch: int, model: nn.Module) -> None:
        """Keep this epoch if it beats the best; the earlier one of equals stays."""
        sign = -1 if self.metric == "rmse" else 1
        if not self.scores or sign * scores[self.metric] > sign * self.scores[self.metric]:
            self.scores, self.epoch = scores, epoch
            self.state = {key: value.clone() for key, value in model.state_dict().items()}


def score(model: nn.Module, source: Source, trial: Trial) -> dict[str, float]:
    """Every metric of the task's kind on one split, windows blended into whole tiles."""
    where, store, windows = device(), trial.store, trial.windows
    model.eval()
    metrics = build_metrics(store.kind, store.classes, store.ignore_index).to(where)
    count = len(source.targets)
    step = max(1, 2 * trial.protocol.batch_size // windows.count)
    with torch.inference_mode():
        for start in range(0, count, step):
            tiles = np.arange(start, min(start + step, count))
            inputs, _ = _to(source.batch(windows.items(tiles)), where)
            logits = windows.blend(model(inputs, windows.size))
            metrics.update(logits, source.targets[tiles].to(where))
    return {name: float(value) for name, value in metrics.compute().items()}


def _batches(count: int, batches: int, size: int, seed: tuple[int, int]) -> list[np.ndarray]:
    """The positions of each batch of an epoch: as many permutations as it takes."""
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
