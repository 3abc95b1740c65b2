"""Training a head: the one protocol for the ensemble and every baseline.

AdamW with one cycle of the learning rate, the official splits, the best validation epoch tested
once (PANGAEA, arXiv 2412.04204).
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from eosfm.catalog.spec import Kind
from eosfm.downstream.features import Pyramids, device
from eosfm.ensemble import Fuser
from eosfm.params import ScaleProtocol
from eosfm.tasks import build_head, build_loss, build_metrics
from eosfm.tiles import TileStore

LOSSES: dict[Kind, str] = {
    "classification": "ce",
    "multilabel": "bce",
    "segmentation": "ce",
    "change": "ce",
    "regression": "mse",
}


class Source(Protocol):
    """A split of a task: what a model eats, and the targets, by position."""

    def __len__(self) -> int: ...

    def batch(self, positions: np.ndarray) -> tuple[Any, Tensor]:
        """Inputs and targets of some tiles."""
        ...


def merge_dates(maps: list[Tensor], dates: int, kind: Kind) -> list[Tensor]:
    """Bring (B*T, C, h, w) maps to one per tile: change concatenates dates, else they are averaged."""
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
    store: TileStore, head: str, channels: list[int], decoder_channels: int, dates: int
) -> nn.Module:
    """The head that a task's labels need."""
    factor = dates if store.kind == "change" else 1
    return build_head(
        store.kind,
        head,
        [factor * width for width in channels],
        len(store.classes),
        decoder_channels,
    )




def fit(
    model: nn.Module,
    train: Source,
    val: Source,
    protocol: ScaleProtocol,
    store: TileStore,
    metric: str,
    size: tuple[int, int],
    seed: int,
    *,
    epochs: int | None = None,
    log: Callable[[dict[str, float], int], None] | None = None,
    label: str = "fit",
) -> tuple[dict[str, float], int]:
    """Train ``model``; leave it at its best validation epoch.

    Args:
        model: Called as ``model(inputs, size)``; only parameters that require gradients are trained.
        train: The labelled training tiles.
        val: The validation tiles.
        protocol: Epochs, batch size, learning rate.
        store: Says the kind of task, its classes and the value that is never scored.
        metric: The metric that decides which epoch is best.
        size: Height and width of a tile in pixels.
        seed: Decides the order of the batches.
        epochs: Instead of the protocol's number.
        log: Receives the validation metrics of each epoch.
        label: Name on the progress bar.

    Returns:
        The best epoch's validation metrics, and its number counted from 1.
    """
    where = device()
    model.to(where)
    loss_of = build_loss(store.kind, LOSSES[store.kind], store.ignore_index).to(where)
    batches = protocol.steps_per_epoch or max(1, len(train) // protocol.batch_size)
    epochs = epochs or protocol.epochs
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=protocol.lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, protocol.lr, total_steps=epochs * batches
    )
    best: tuple[float, dict[str, float], int, dict[str, Tensor]] | None = None
    for epoch in range(1, epochs + 1):
        model.train()
        order = _batches(len(train), batches, protocol.batch_size, (seed, epoch))
        losses = []
        for positions in tqdm(
            order, desc=f"{label} {epoch}/{epochs}", unit="batch", disable=None, leave=False
        ):
            inputs, target = _to(train.batch(positions), where)
            loss = loss_of(model(inputs, size), target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        scores = score(model, val, protocol.batch_size, store, size)
        if log is not None:
            log({"loss": float(np.mean(losses)), f"val_{metric}": scores[metric]}, epoch)
        value = -scores[metric] if metric == "rmse" else scores[metric]
        if best is None or value > best[0]:
            best = (value, scores, epoch, copy.deepcopy(model.state_dict()))
    assert best is not None
    model.load_state_dict(best[3])
    return best[1], best[2]


def score(
    model: nn.Module, source: Source, batch_size: int, store: TileStore, size: tuple[int, int]
) -> dict[str, float]:
    """Every metric of the task's kind on one split."""
    where = device()
    model.eval()
    metrics = build_metrics(store.kind, store.classes, store.ignore_index).to(where)
    with torch.inference_mode():
        for start in range(0, len(source), 2 * batch_size):
            positions = np.arange(start, min(start + 2 * batch_size, len(source)))
            inputs, target = _to(source.batch(positions), where)
            metrics.update(model(inputs, size), target)
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
