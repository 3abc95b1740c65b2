"""Training a head: the one protocol for the ensemble and every baseline.

AdamW with one cycle of the learning rate, the official splits, the best validation epoch tested
once (PANGAEA, arXiv 2412.04204).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from eosfm.downstream.features import Pyramids, device
from eosfm.ensemble import Fuser
from eosfm.params import ScaleProtocol
from eosfm.tasks import (
    LOSSES,
    PhysicalUnits,
    build_head,
    build_loss,
    build_metrics,
    target_statistics,
)
from eosfm.tiles.store import TileStore

GRADIENT_NORM = 1.0
"""Gradients of a larger norm are scaled down to it."""


@dataclass(frozen=True)
class Trial:
    """What every fit of one task has in common.

    Attributes:
        name: The task.
        store: Its tiles: kind, classes, the value that is never scored.
        metric: The metric that decides which epoch is best.
        protocol: Epochs, batch size, learning rate, width of the decoder.
        size: Height and width of a tile in pixels.
        seed: Decides initial weights and the order of the batches.
    """

    name: str
    store: TileStore
    metric: str
    protocol: ScaleProtocol
    size: tuple[int, int]
    seed: int


class Source(Protocol):
    """A split of a task: what a model eats, and the targets, by position."""

    def __len__(self) -> int: ...

    def batch(self, positions: np.ndarray) -> tuple[Any, Tensor]:
        """Inputs and targets of some tiles."""
        ...


def merge_dates(maps: list[Tensor], dates: int, kind: str) -> list[Tensor]:
    """One (B, C, h, w) map per tile from (B*T, C, h, w): change keeps dates, else their mean."""
    if dates == 1:
        return maps
    per_date = [level.unflatten(0, (-1, dates)) for level in maps]
    if kind == "change":
        return [level.flatten(1, 2) for level in per_date]
    return [level.mean(dim=1) for level in per_date]


class Probe(nn.Module):
    """Fusion and head on frozen pyramids: what is trained downstream."""

    def __init__(
        self, fuser: Fuser, store: TileStore, head: str, decoder_channels: int, dates: int
    ) -> None:
        super().__init__()
        self.fuser = fuser
        self.kind = store.kind
        self.head = task_head(store, head, fuser.out_channels, decoder_channels, dates)

    def forward(self, pyramids: Pyramids, size: tuple[int, int]) -> Tensor:
        """Logits from pyramids of (B, T, C, h, w) levels."""
        dates = pyramids[0][0].shape[1]
        maps = self.fuser([[level.flatten(0, 1).float() for level in p] for p in pyramids])
        return self.head(merge_dates(maps, dates, self.kind), size)


def task_head(
    store: TileStore, head: str, channels: Sequence[int], decoder_channels: int, dates: int
) -> nn.Module:
    """The head that a task's labels need, for maps of ``channels`` per date."""
    factor = dates if store.kind == "change" else 1
    widths = [factor * width for width in channels]
    if store.kind != "regression":
        return build_head(store.kind, head, widths, len(store.classes), decoder_channels)
    tiles = store.split("train")
    targets = (tiles.target(i) for i in range(len(tiles)))
    statistics = target_statistics(store.kind, targets, 1, store.ignore_index)
    bare = build_head(store.kind, head, widths, 1, decoder_channels)
    return PhysicalUnits(bare, statistics.mean, statistics.std)


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
        train: The labelled training tiles.
        val: The validation tiles.
        trial: Task, protocol and seed.
        log: Receives the mean loss and the validation score of each epoch.

    Returns:
        The best epoch's validation metrics, and its number counted from 1.
    """
    store, protocol, metric = trial.store, trial.protocol, trial.metric
    where = device()
    model.to(where)
    loss_of = build_loss(store.kind, LOSSES[store.kind][0], store.ignore_index).to(where)
    steps = protocol.steps_per_epoch or max(1, len(train) // protocol.batch_size)
    epochs = protocol.epochs
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=protocol.lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, protocol.lr, total_steps=epochs * steps
    )
    best = _Best(metric)
    bar = tqdm(total=epochs * steps, desc=trial.name, unit="batch", disable=None, leave=False)
    with bar:
        for epoch in range(1, epochs + 1):
            model.train()
            losses = []
            for positions in _batches(len(train), steps, protocol.batch_size, (trial.seed, epoch)):
                inputs, target = _to(train.batch(positions), where)
                loss = loss_of(model(inputs, trial.size), target)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
                optimizer.step()
                schedule.step()
                losses.append(loss.detach())
                bar.update()
            scores = score(model, val, trial)
            if log is not None:
                mean_loss = float(torch.stack(losses).mean())
                log({"loss": mean_loss, f"val_{metric}": scores[metric]}, epoch)
            best.offer(scores, epoch, model)
    model.load_state_dict(best.state)
    return best.scores, best.epoch


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
    """Every metric of the task's kind on one split."""
    where, store = device(), trial.store
    model.eval()
    metrics = build_metrics(store.kind, store.classes, store.ignore_index).to(where)
    batch = 2 * trial.protocol.batch_size
    with torch.inference_mode():
        for start in range(0, len(source), batch):
            positions = np.arange(start, min(start + batch, len(source)))
            inputs, target = _to(source.batch(positions), where)
            metrics.update(model(inputs, trial.size), target)
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
