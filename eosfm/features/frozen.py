"""A task's split as frozen features, and the items of it that a head reads."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from eosfm.core.splits import Splits
from eosfm.encoding.input import InputSpec
from eosfm.features.windows import Windows

Levels = list[Tensor]
"""Four levels (B, T, C, h, w), the channels of all pyramids side by side."""

KEPT_GB = 6.0
"""Prepared features of one split above this are prepared anew for every batch."""


class LevelSource(ABC):
    """Whatever gives the levels of a split's items."""

    @abstractmethod
    def levels(self, items: np.ndarray) -> Levels:
        """Four levels of some items."""

    def only(self, inputs: Sequence[InputSpec], chosen: Sequence[int]) -> "LevelSource":
        """The same with some of the pyramids, by index; ``inputs`` says what there are."""
        return SomePyramids(self, inputs, chosen)


@dataclass(frozen=True)
class ArrayLevels(LevelSource):
    """Levels in memory or in memory-mapped files, one array per level."""

    arrays: Sequence[np.ndarray]

    def levels(self, items: np.ndarray) -> Levels:
        """Copy some items."""
        return [torch.from_numpy(array[items]) for array in self.arrays]


@dataclass(frozen=True)
class SomePyramids(LevelSource):
    """The levels of another source without the channels of some of its pyramids."""

    source: LevelSource
    inputs: Sequence[InputSpec]
    chosen: Sequence[int]

    def levels(self, items: np.ndarray) -> Levels:
        """Leave channels out."""
        by_level = split_levels(self.source.levels(items), self.inputs)
        return [torch.cat([parts[i] for i in self.chosen], dim=2) for parts in by_level]


@dataclass(frozen=True)
class SomeItems(LevelSource):
    """Another source with some of its items alone, numbered anew."""

    source: LevelSource
    items: np.ndarray

    def levels(self, items: np.ndarray) -> Levels:
        """Look the items up in the other."""
        return self.source.levels(self.items[items])


@dataclass(frozen=True)
class PreparedLevels(LevelSource):
    """The levels of another source, prepared anew at every reading."""

    source: LevelSource
    prepare: Callable[[Levels], Levels]

    def levels(self, items: np.ndarray) -> Levels:
        """Read and prepare."""
        return self.prepare(self.source.levels(items))


@dataclass(frozen=True)
class FrozenFeatures:
    """One split of a task, ready for a head; an item is one window of one tile.

    Attributes:
        source: Gives four levels of float16, the pyramids in the order of ``inputs``.
        inputs: What each pyramid is.
        targets: (N, ...) targets by tile, as :class:`eosfm.tiles.dataset.TileDataset` gives them.
        days: (N, T) day of each date by tile, NaN where unknown.
        windows: How tiles are cut.
    """

    source: LevelSource
    inputs: tuple[InputSpec, ...]
    targets: Tensor
    days: Tensor
    windows: Windows

    def __len__(self) -> int:
        return len(self.targets) * self.windows.count

    @property
    def specialists(self) -> list[str]:
        """Names of the specialists, each once: one may give several pyramids."""
        return list(dict.fromkeys(spec.name for spec in self.inputs))

    def levels(self, items: np.ndarray) -> Levels:
        """Four levels of some items."""
        return self.source.levels(items)

    def batch(self, items: np.ndarray) -> tuple[tuple[Levels, Tensor], Tensor]:
        """Inputs (levels and days) and targets of some items."""
        days = self.days[torch.from_numpy(items // self.windows.count)]
        return (self.levels(items), days), self.windows.cut_items(self.targets, items)

    def only(self, names: Collection[str]) -> "FrozenFeatures":
        """The same items with the pyramids of some specialists."""
        chosen = tuple(index for index, spec in enumerate(self.inputs) if spec.name in names)
        if len(chosen) == len(self.inputs):
            return self
        source = self.source.only(self.inputs, chosen)
        return replace(self, source=source, inputs=tuple(self.inputs[index] for index in chosen))

    def take(self, tiles: np.ndarray) -> "FrozenFeatures":
        """Some of the tiles."""
        indices = torch.from_numpy(tiles)
        source = SomeItems(self.source, self.windows.items(tiles))
        return replace(self, source=source, targets=self.targets[indices], days=self.days[indices])

    def prepared(self, prepare: Callable[[Levels], Levels]) -> "FrozenFeatures":
        """The same items with ``prepare`` applied to their levels, once where memory allows."""
        source = PreparedLevels(self.source, prepare)
        first = source.levels(np.arange(1))
        gigabytes = sum(level.numel() * 4 for level in first) * len(self) / 1e9
        if gigabytes > KEPT_GB:
            return replace(self, source=source)
        kept = [np.empty((len(self), *level.shape[1:]), np.float32) for level in first]
        for start in range(0, len(self), 16):
            items = np.arange(start, min(start + 16, len(self)))
            for whole, part in zip(kept, source.levels(items), strict=True):
                whole[start : start + len(items)] = part
        return replace(self, source=ArrayLevels(kept))


def only(splits: Splits[FrozenFeatures], names: Collection[str]) -> Splits[FrozenFeatures]:
    """Every split with the pyramids of some specialists."""
    return splits.map(lambda split: split.only(names))


def split_levels(levels: Levels, inputs: Sequence[InputSpec], dim: int = 2) -> list[list[Tensor]]:
    """Cut each level into the pyramids' parts: ``[level][pyramid]``."""
    return [
        list(level.split([spec.channels[k] for spec in inputs], dim=dim))
        for k, level in enumerate(levels)
    ]
