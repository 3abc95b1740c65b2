"""Reading the tiles of one split of a task as images: windows alone, in the store's own dtype.

Loader processes read; scaling to float32 happens on the device.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from eosfm.core.cores import loaders
from eosfm.core.mapped import release
from eosfm.core.splits import Split
from eosfm.features.dates import days_of
from eosfm.features.device import device
from eosfm.features.frozen import TaskSplit
from eosfm.features.source import Request, Source
from eosfm.features.task import TaskInput
from eosfm.features.windows import Windows
from eosfm.tiles.dataset import TileDataset
from eosfm.tiles.store import TileStore
from eosfm.tiles.views import View

BATCH = 32
"""Images that are encoded at once, dates and windows counted."""


class Native(NamedTuple):
    """Windows as they are stored; see :class:`eosfm.tiles.dataset.Pixels`."""

    images: Tensor
    missing: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Reading(Source[Tensor]):
    """How one split of a task is read from its tiles: a source of images.

    Attributes:
        store: The tiles.
        split: Which of them.
        bands: The channels.
        statistics: Offset and divisor of each channel.
        fill: Value of each channel where it was not measured.
        standardize: Whether the statistics scale the images.
        indices: The tiles in use, by index in the store.
        dates: The dates in use, by position in the store.
        windows: How tiles are cut.
        workers: Loader processes, at most one per core; parallel fits use none.
        repeat: By class index, how often an epoch sees a tile that shows it.
    """

    store: TileStore
    split: Split
    bands: tuple[str, ...]
    statistics: tuple[tuple[float, ...], tuple[float, ...]]
    fill: tuple[float, ...]
    standardize: bool
    indices: np.ndarray
    dates: tuple[int, ...]
    windows: Windows
    workers: int
    repeat: Mapping[int, int]

    def __len__(self) -> int:
        """Number of items."""
        return len(self.indices) * self.windows.count

    def whole(self) -> "Reading":
        """The same tiles, uncut."""
        return replace(self, windows=Windows.whole(self.windows.tile))

    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (B, T, C, h, w) float32 on the device, and their targets."""
        where = device()
        loader: DataLoader[Native] = DataLoader(
            _Windows(self),
            batch_size=None,
            sampler=requests,
            num_workers=self._loaders(),
            pin_memory=where.type == "cuda",
            # Its own generator: parallel fits draw from the process-wide one.
            generator=torch.Generator(),
        )
        for native in loader:
            native = Native(*(part.to(where, non_blocking=True) for part in native))
            yield self._finished(native), native.targets

    def targets(self, tiles: Sequence[int]) -> Iterator[np.ndarray]:
        """See :meth:`Source.targets`."""
        whole = self.whole()
        return (whole.read(Request(np.array([tile]))).targets.numpy()[0] for tile in tiles)

    def days(self) -> Tensor:
        """(N, T) days of the dates in use, NaN where there is no image or no day is known."""
        from pyarrow import parquet

        path = self.tiles.tiles.path / "tiles.parquet"
        dates = parquet.read_table(path, columns=["dates"])["dates"].to_pylist()
        stored = self.store.shape[0]
        return torch.from_numpy(days_of([dates[i] or () for i in self.indices], self.dates, stored))

    def chunks(self) -> list[Request]:
        """All items, whole tiles at a time, few enough to be encoded at once."""
        step = max(1, BATCH // (len(self.dates) * self.windows.count))
        starts = range(0, len(self.indices), step)
        tiles = (np.arange(start, min(start + step, len(self.indices))) for start in starts)
        return [Request(self.windows.items(some)) for some in tiles]

    def read(self, request: Request) -> Native:
        """The windows of a request, one pass over the mapped files."""
        tiles = self.indices[request.items // self.windows.count].tolist()
        places = zip(tiles, request.items % self.windows.count, strict=True)
        views = [
            View(*self._corner(tile, window, request.draw), 0, False) for tile, window in places
        ]
        pixels = self.tiles.pixels(tiles, views, self.dates)
        for tile in tiles:
            for part in self.tiles.tiles.parts(tile):
                release(part)
        images, missing = torch.from_numpy(pixels.images), torch.from_numpy(pixels.missing)
        return Native(images, missing, torch.from_numpy(np.stack(pixels.targets)))

    @cached_property
    def tiles(self) -> TileDataset:
        """The split's tiles, in the task's bands."""
        return TileDataset(self.store, self.split, self.bands, crop=max(self.windows.size))

    def _loaders(self) -> int:
        # None for parallel fits, which run in threads: a process forked while another thread
        # holds a lock may deadlock, and the cores are busy anyway.
        alone = threading.current_thread() is threading.main_thread()
        return loaders(self.workers) if alone else 0

    def _corner(self, tile: int, window: int, draw: tuple[int, ...] | None) -> tuple[int, int]:
        if draw is None or self.windows.count == 1:
            return self.windows.origins[window]
        return self.tiles.corner(tile, np.random.default_rng((*draw, tile)))

    def _finished(self, native: Native) -> Tensor:
        """Scaled images, in which what was not measured is its band's mean."""
        where = native.images.device
        fill, mean, std = (
            torch.tensor(values, device=where).view(-1, 1, 1)
            for values in (self.fill, *self.statistics)
        )
        images = native.images.to(torch.float32)
        unmeasured = native.missing[:, :, None] | images.isnan()
        images = torch.where(unmeasured, fill, images)
        return (images - mean) / std if self.standardize else images


class _Windows(Dataset[Native]):
    """A reading as torch's loader takes it: its "indices" are requests."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def __getitem__(self, request: Any) -> Native:
        return self.reading.read(request)


def read_split(task: TaskInput, split: Split) -> Reading:
    """How a task reads a split."""
    return Reading(
        task.store,
        split,
        task.bands,
        task.statistics,
        task.fill,
        # Tiles are standardised unless the specialists do that themselves.
        task.standardize == "dataset",
        task.indices(split),
        task.dates,
        task.windows,
        task.workers,
        task.repeat if split == "train" else {},
    )


def image_split(reading: Reading) -> TaskSplit[Tensor]:
    """A split as images, for models that are trained from the pixels on."""
    return TaskSplit(reading, reading.days(), reading.windows, repeat=reading.repeat)
