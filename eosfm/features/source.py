"""Sources of a head's inputs and targets: read from disk, or computed at every reading."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from eosfm.core.mapped import release
from eosfm.encoding.input import InputSpec
from eosfm.features.device import to_device
from eosfm.features.windows import Windows

Levels = list[Tensor]
"""Four levels (B, T, C, h, w), the channels of all pyramids side by side."""

T = TypeVar("T")


class Request(NamedTuple):
    """Windows to read.

    Attributes:
        items: Their numbers, see :class:`Windows`.
        draw: None: read exactly these windows. Otherwise a seed: read a random window of each
            item's tile. Each batch has its own seed.
    """

    items: np.ndarray
    draw: tuple[int, ...] | None = None


class Source(ABC, Generic[T]):
    """What a head reads of one split, and the targets."""

    @abstractmethod
    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[T, Tensor]]:
        """Inputs of each request, and targets (B, ...) of its windows in their stored dtype."""

    @abstractmethod
    def targets(self, tiles: Sequence[int]) -> Iterator[np.ndarray]:
        """The target of each of some whole tiles, as it is stored."""

    def only(self, inputs: Sequence[InputSpec], chosen: Sequence[int]) -> "Source[Levels]":
        """Levels with only the ``chosen`` pyramids, by index in ``inputs``."""
        return SomePyramids(self, inputs, chosen)

    def with_days(
        self, requests: Iterable[Request], days: Tensor, count: int
    ) -> Iterator[tuple[tuple[T, Tensor], Tensor]]:
        """:meth:`stream`, which may read ahead, with the days (B, T) beside each request's inputs.

        Args:
            requests: The requests to pass on.
            days: (N, T) days by tile.
            count: Windows per tile.
        """
        ahead, asked = tee(requests)
        for (inputs, targets), request in zip(self.stream(ahead), asked, strict=True):
            yield (inputs, days[torch.from_numpy(request.items // count)]), targets


@dataclass(frozen=True)
class Derived(Source[T]):
    """Inputs made of what another source gives; the targets stay."""

    source: Source[Any]

    def targets(self, tiles: Sequence[int]) -> Iterator[np.ndarray]:
        """See :meth:`Source.targets`."""
        return self.source.targets(tiles)


@dataclass(frozen=True)
class StoredLevels(Source[Levels]):
    """Levels in memory or in memory-mapped files, one array per level.

    Of tiles with several windows, the one that a request draws is one of these.

    Attributes:
        arrays: (N * count, T, C, h, w) each.
        by_tile: (N, ...) targets.
        windows: How tiles are cut.
    """

    arrays: Sequence[np.ndarray]
    by_tile: np.ndarray
    windows: Windows

    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[Levels, Tensor]]:
        """Copy some items."""
        for request in requests:
            items = self._drawn(request)
            levels = [torch.from_numpy(array[items]) for array in self.arrays]
            targets = self._targets(items)
            for array in (*self.arrays, self.by_tile):
                release(array)
            yield levels, targets

    def targets(self, tiles: Sequence[int]) -> Iterator[np.ndarray]:
        """See :meth:`Source.targets`."""
        return (np.asarray(self.by_tile[tile]) for tile in tiles)

    def _drawn(self, request: Request) -> np.ndarray:
        items, draw, count = *request, self.windows.count
        if draw is None or count == 1:
            return items
        tiles = items // count
        which = [np.random.default_rng((*draw, int(tile))).integers(count) for tile in tiles]
        return tiles * count + np.array(which)

    def _targets(self, items: np.ndarray) -> Tensor:
        count = self.windows.count
        if count == 1:
            return torch.from_numpy(self.by_tile[items])
        tiles = torch.from_numpy(self.by_tile[items // count])
        cut = [self.windows.cut(tile, i % count) for tile, i in zip(tiles, items, strict=True)]
        return torch.stack(cut)


@dataclass(frozen=True)
class SomePyramids(Derived[Levels]):
    """The levels of another source without the channels of some of its pyramids."""

    inputs: Sequence[InputSpec]
    chosen: Sequence[int]

    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[Levels, Tensor]]:
        """Leave channels out."""
        for levels, targets in self.source.stream(requests):
            by_level = split_levels(levels, self.inputs)
            yield [torch.cat([parts[i] for i in self.chosen], dim=2) for parts in by_level], targets


@dataclass(frozen=True)
class PreparedLevels(Derived[Levels]):
    """The levels of another source, prepared on the device, anew at every reading.

    Attributes:
        prepare: Called with levels and the days (B, T) of their dates.
        days: (N, T) by tile.
        count: Windows per tile.
    """

    prepare: Callable[[Levels, Tensor], Levels]
    days: Tensor
    count: int

    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[Levels, Tensor]]:
        """Read and prepare."""
        for inputs, targets in self.source.with_days(requests, self.days, self.count):
            yield self.prepare(*to_device(inputs)), targets


@dataclass(frozen=True)
class SomeTiles(Source[T]):
    """Another source with some of its tiles alone, numbered anew."""

    source: Source[T]
    tiles: np.ndarray
    count: int

    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[T, Tensor]]:
        """Look the items up in the other."""
        return self.source.stream(
            request._replace(
                items=self.tiles[request.items // self.count] * self.count
                + request.items % self.count
            )
            for request in requests
        )

    def targets(self, tiles: Sequence[int]) -> Iterator[np.ndarray]:
        """See :meth:`Source.targets`."""
        return self.source.targets(self.tiles[list(tiles)].tolist())

    def only(self, inputs: Sequence[InputSpec], chosen: Sequence[int]) -> "Source[Levels]":
        """See :meth:`Source.only`: the other encodes no more than that."""
        return SomeTiles(self.source.only(inputs, chosen), self.tiles, self.count)


def split_levels(levels: Levels, inputs: Sequence[InputSpec], dim: int = 2) -> list[list[Tensor]]:
    """Cut each level into the pyramids' parts: ``[level][pyramid]``."""
    return [
        list(level.split([spec.channels[k] for spec in inputs], dim=dim))
        for k, level in enumerate(levels)
    ]
