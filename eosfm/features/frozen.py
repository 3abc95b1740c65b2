"""A task's split, ready for a model: as frozen features, or as images."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Generic, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from eosfm.core.files import temporary_folder
from eosfm.core.mapped import release, reserve
from eosfm.core.splits import Splits
from eosfm.encoding.input import InputSpec
from eosfm.features import processes
from eosfm.features.labels import repeated
from eosfm.features.source import (
    Levels,
    PreparedLevels,
    Request,
    SomeTiles,
    Source,
    StoredLevels,
)
from eosfm.features.windows import Windows
from eosfm.kinds.examples import spread
from eosfm.kinds.targets import STATISTICS_TILES

SCRATCH = Path(".cache/features")
"""Where files lie that no later run needs."""

MEMORY_GB = 1.0
"""Prepared features of one split above this are kept in scratch files."""

KEPT_GB = 20.0
"""Prepared features of one split above this are prepared anew for every batch."""

CHUNK = 16
"""Items that are prepared at once."""

T = TypeVar("T")
Shape = tuple[tuple[int, ...], np.dtype]


@dataclass(frozen=True)
class TaskSplit(Generic[T]):
    """One split of a task; an item is one window of one tile.

    Attributes:
        source: Gives the items, and their targets.
        days: (N, T) day of each date by tile, NaN where unknown.
        windows: How tiles are cut.
        live: Whether inputs are encoded on the fly, so slowly that fits should share each reading.
        repeat: By class index, how often one pass sees a tile that shows it.
    """

    source: Source[T]
    days: Tensor
    windows: Windows
    live: bool = False
    repeat: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.days)

    @cached_property
    def one_pass(self) -> np.ndarray:
        """Tile indices of one pass; tiles with a class in ``repeat`` occur several times."""
        tiles = np.arange(len(self))
        if not self.repeat:
            return tiles
        return np.repeat(tiles, repeated(self.source.targets(tiles.tolist()), self.repeat))

    def batches(self, requests: Iterable[Request]) -> Iterator[tuple[tuple[T, Tensor], Tensor]]:
        """Inputs (what the source gives, and days) and targets of each request."""
        count = self.windows.count
        for inputs, targets in self.source.with_days(requests, self.days, count):
            # Stored in the smallest integer type; losses and metrics take int64.
            yield inputs, targets if targets.is_floating_point() else targets.long()

    def batch(self, items: np.ndarray) -> tuple[tuple[T, Tensor], Tensor]:
        """Inputs and targets of some items."""
        return next(self.batches([Request(items)]))

    def some_targets(self) -> Iterator[np.ndarray]:
        """The targets of tiles that are spread evenly, whole, for their statistics."""
        return self.source.targets(spread(len(self), STATISTICS_TILES))

    def take(self, tiles: np.ndarray) -> Self:
        """Some of the tiles."""
        source = SomeTiles(self.source, tiles, self.windows.count)
        return replace(self, source=source, days=self.days[torch.from_numpy(tiles)])


@dataclass(frozen=True)
class FrozenFeatures(TaskSplit[Levels]):
    """One split of a task as the pyramids of ``inputs``, in their order."""

    inputs: tuple[InputSpec, ...] = ()

    @property
    def specialists(self) -> list[str]:
        """Names of the specialists, each once: one may give several pyramids."""
        return list(dict.fromkeys(spec.name for spec in self.inputs if not spec.spectral))

    def only(self, names: Collection[str]) -> "FrozenFeatures":
        """The same items with the pyramids of some specialists, and that of the bands if there."""
        specs = enumerate(self.inputs)
        return self._some(tuple(i for i, spec in specs if spec.spectral or spec.name in names))

    def without_bands(self) -> "FrozenFeatures":
        """The same items with the pyramids of the specialists alone."""
        return self._some(tuple(i for i, spec in enumerate(self.inputs) if not spec.spectral))

    def _some(self, chosen: tuple[int, ...]) -> "FrozenFeatures":
        if len(chosen) == len(self.inputs):
            return self
        source = self.source.only(self.inputs, chosen)
        return replace(self, source=source, inputs=tuple(self.inputs[index] for index in chosen))

    def prepared(self, prepare: Callable[[Levels, Tensor], Levels]) -> "FrozenFeatures":
        """The same items with ``prepare`` applied to their levels and days.

        The result is kept where it fits and tiles are not cut into windows, of which each epoch
        draws others; else it is computed at every reading. Several processes share its files.
        """
        source = PreparedLevels(self.source, prepare, self.days, self.windows.count)
        if self.windows.count > 1:
            return replace(self, source=source)
        levels, targets = next(source.stream([Request(np.arange(1))]))
        gigabytes = len(self) * sum(part.nbytes for part in (*levels, targets)) / 1e9
        if gigabytes > KEPT_GB:
            return replace(self, source=source)
        like = [part.numpy(force=True) for part in (*levels, targets)]
        shapes = [((len(self), *one.shape[1:]), one.dtype) for one in like]
        if gigabytes > MEMORY_GB:
            kept = _written(source, shapes)
        else:
            kept = [np.empty(*one) for one in shapes]
            _fill(kept, source)
        return replace(self, source=StoredLevels(kept[:-1], kept[-1], self.windows))


def chunks(count: int, size: int = CHUNK) -> list[np.ndarray]:
    """All items, some at a time."""
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def only(splits: Splits[FrozenFeatures], names: Collection[str]) -> Splits[FrozenFeatures]:
    """Every split with the pyramids of some specialists."""
    return splits.map(lambda split: split.only(names))


def _fill(arrays: Sequence[np.ndarray], source: Source[Levels]) -> None:
    """Copy all items of a source: its levels, then its targets."""
    parts = chunks(len(arrays[-1]))
    read = source.stream(map(Request, parts))
    for items, (levels, targets) in zip(parts, read, strict=True):
        for whole, part in zip(arrays, (*levels, targets), strict=True):
            whole[items] = part.numpy(force=True)
            release(whole)


def _written(source: Source[Levels], shapes: Sequence[Shape]) -> list[np.ndarray]:
    """Arrays that the first process fills, in files that vanish with the last of them."""
    with temporary_folder(SCRATCH / "prepared") as own:
        files = processes.from_first(partial(_write, own, source, shapes))
        kept = [np.load(file, mmap_mode="r") for file in files]
        processes.from_first(lambda: None)  # all have opened the files, which lose their names
    return kept


def _write(folder: Path, source: Source[Levels], shapes: Sequence[Shape]) -> list[Path]:
    files, arrays = [], []
    for number, (shape, dtype) in enumerate(shapes):
        files.append(folder / f"{number}.npy")
        arrays.append(np.lib.format.open_memmap(files[-1], "w+", dtype, shape))
        with files[-1].open("r+b") as file:
            reserve(file, file.seek(0, os.SEEK_END))
    _fill(arrays, source)
    return files
