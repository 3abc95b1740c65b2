"""A task's split as frozen features, and the items of it that a head eats."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from eosfm.encoding.input import InputSpec
from eosfm.features.windows import Windows

Levels = list[Tensor]
"""Four levels, the channels of all pyramids side by side."""

KEPT_GB = 6.0
"""Prepared features of one split above this are prepared anew for every batch."""


@dataclass(frozen=True)
class Encoded:
    """One split of a task, ready for a head; an item is one window of one tile.

    Attributes:
        levels: ``levels(items)`` gives four levels (B, T, C, h, w) of float16, the channels of
            the pyramids side by side in the order of ``inputs``.
        inputs: What each pyramid is.
        targets: (N, ...) targets by tile, as :class:`eosfm.tiles.dataset.TileDataset` gives them.
        days: (N, T) day of each date by tile, NaN where unknown.
        windows: How tiles are cut.
    """

    levels: Callable[[np.ndarray], Levels]
    inputs: tuple[InputSpec, ...]
    targets: Tensor
    days: Tensor
    windows: Windows

    def __len__(self) -> int:
        return len(self.targets) * self.windows.count

    def batch(self, items: np.ndarray) -> tuple[tuple[Levels, Tensor], Tensor]:
        """Inputs (levels and days) and targets of some items."""
        tiles = items // self.windows.count
        days = self.days[torch.from_numpy(tiles)]
        return (self.levels(items), days), cut_targets(self.targets, self.windows, items)

    def only(self, names: Collection[str]) -> "Encoded":
        """The same items with the pyramids of some specialists."""
        chosen = [place for place, spec in enumerate(self.inputs) if spec.name in names]
        if len(chosen) == len(self.inputs):
            return self

        def levels(items: np.ndarray) -> Levels:
            every = split_levels(self.levels(items), self.inputs)
            return [torch.cat([parts[i] for i in chosen], dim=2) for parts in every]

        return replace(self, levels=levels, inputs=tuple(self.inputs[i] for i in chosen))

    def take(self, tiles: np.ndarray) -> "Encoded":
        """Some of the tiles."""
        items = self.windows.items(tiles)
        places = torch.from_numpy(tiles)
        return replace(
            self,
            levels=lambda chosen: self.levels(items[chosen]),
            targets=self.targets[places],
            days=self.days[places],
        )

    def prepared(self, prepare: Callable[[Levels], Levels]) -> "Encoded":
        """The same items with ``prepare`` applied to their levels, once where memory allows."""
        first = prepare(self.levels(np.arange(1)))
        gigabytes = sum(level.numel() * 4 for level in first) * len(self) / 1e9
        if gigabytes > KEPT_GB:
            return replace(self, levels=lambda items: prepare(self.levels(items)))
        kept = [torch.empty(len(self), *level.shape[1:]) for level in first]
        for start in range(0, len(self), 16):
            items = np.arange(start, min(start + 16, len(self)))
            for whole, part in zip(kept, prepare(self.levels(items)), strict=True):
                whole[start : start + len(items)] = part
        return replace(self, levels=lambda items: [x[torch.from_numpy(items)] for x in kept])


def split_levels(levels: Levels, inputs: Sequence[InputSpec], dim: int = 2) -> list[list[Tensor]]:
    """Cut each level into the pyramids' parts: ``[level][pyramid]``."""
    return [
        list(level.split([spec.channels[k] for spec in inputs], dim=dim))
        for k, level in enumerate(levels)
    ]


def cut_targets(targets: Tensor, windows: Windows, items: np.ndarray) -> Tensor:
    """Targets of some items: whole, or each its window's part."""
    if windows.count == 1:
        return targets[torch.from_numpy(items)]
    count = windows.count
    return torch.stack([windows.cut(targets[int(i) // count], int(i) % count) for i in items])
