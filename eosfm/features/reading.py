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
from eosfm.features.dates import days_of, measured_dates
from eosfm.features.device import device
from eosfm.features.frozen import TaskSplit
from eosfm.features.source import Request, Source
from eosfm.features.task import TaskInput
from eosfm.features.windows import Windows
from eosfm.tiles.dataset import TileDataset
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
        task: Whose tiles are read; it says which bands and dates of them, and what scales these.
        split: Which of the tiles.
        indices: The tiles in use, by index in the store.
        windows: How tiles are cut.
    """

    task: TaskInput
    split: Split
    indices: np.ndarray
    windows: Windows

    def __len__(self) -> int:
        """Number of items."""
        return len(self.indices) * self.windows.count

    @property
    def repeat(self) -> Mapping[int, int]:
        """By class index, how often an epoch sees a tile that shows it."""
        return self.task.repeat if self.split == "train" else {}

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
        used, stored = self.task.dates, self.task.store.shape[0]
        days = days_of([dates[i] or () for i in self.indices], used, stored)
        if len(used) > 1 and (groups := self._less_often_measured()):
            for row, tile in zip(days, self.indices, strict=True):
                seen = measured_dates(self.tiles.tiles, tile, groups)[list(used)]
                row[~seen & seen.any()] = np.nan  # of a tile without any, all dates count
        return torch.from_numpy(days)

    def chunks(self) -> list[Request]:
        """All items, whole tiles at a time, few enough to be encoded at once."""
        step = max(1, BATCH // (len(self.task.dates) * self.windows.count))
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
        pixels = self.tiles.pixels(tiles, views, self.task.dates)
        for tile in tiles:
            for part in self.tiles.tiles.parts(tile):
                release(part)
        images, missing = torch.from_numpy(pixels.images), torch.from_numpy(pixels.missing)
        return Native(images, missing, torch.from_numpy(np.stack(pixels.targets)))

    @cached_property
    def tiles(self) -> TileDataset:
        """The split's tiles, in the task's bands."""
        task = self.task
        return TileDataset(task.store, self.split, task.bands, crop=max(self.windows.size))

    def _less_often_measured(self) -> dict[int, list[int]]:
        """The bands in use, by group: see :func:`measured_dates`.

        Empty where a date that the store tells has some of them for certain.
        """
        store = self.task.store
        names = {store.usable(name) for name in self.task.bands}
        groups = {
            number: [place for place, name in enumerate(group.bands) if name in names]
            for number, group in enumerate(store.groups)
            if not names.isdisjoint(group.bands)
        }
        whole = names.issuperset(store.bands)
        gaps = [store.groups[number] for number in groups]
        lack = all(group.nodata is not None or group.dtype.startswith("float") for group in gaps)
        return groups if lack and not whole else {}

    def _loaders(self) -> int:
        # None for parallel fits, which run in threads: a process forked while another thread
        # holds a lock may deadlock, and the cores are busy anyway.
        alone = threading.current_thread() is threading.main_thread()
        return loaders(self.task.workers) if alone else 0

    def _corner(self, tile: int, window: int, draw: tuple[int, ...] | None) -> tuple[int, int]:
        if draw is None or self.windows.count == 1:
            return self.windows.origins[window]
        return self.tiles.corner(tile, np.random.default_rng((*draw, tile)))

    def _finished(self, native: Native) -> Tensor:
        """Scaled images, in which what was not measured is its band's mean."""
        where = native.images.device
        fill, mean, std = (
            torch.tensor(values, device=where).view(-1, 1, 1)
            for values in (self.task.fill, *self.task.statistics)
        )
        images = native.images.to(torch.float32)
        unmeasured = native.missing[:, :, None] | images.isnan()
        images = torch.where(unmeasured, fill, images)
        # Tiles are standardised unless the specialists do that themselves.
        return (images - mean) / std if self.task.standardize == "dataset" else images


class _Windows(Dataset[Native]):
    """A reading as torch's loader takes it: its "indices" are requests."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def __getitem__(self, request: Any) -> Native:
        return self.reading.read(request)


def read_split(task: TaskInput, split: Split) -> Reading:
    """How a task reads a split."""
    return Reading(task, split, task.indices(split), task.windows)


def image_split(reading: Reading) -> TaskSplit[Tensor]:
    """A split as images, for models that are trained from the pixels on."""
    return TaskSplit(reading, reading.days(), reading.windows, repeat=reading.repeat)
