"""Reading the tiles of one split of a task as images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from eosfm.core.splits import Split
from eosfm.features.dates import days_of
from eosfm.features.task import TaskInput
from eosfm.features.windows import Windows
from eosfm.tiles.dataset import TileDataset

BATCH = 32
"""Images that are encoded at once, dates and windows counted."""


@dataclass(frozen=True)
class Reading:
    """How one split of a task is read from its tiles.

    Attributes:
        tiles: The split's tiles, in the task's bands.
        indices: The tiles in use, by index in the store.
        dates: The dates in use, by position in the store.
        windows: How tiles are cut.
        target_key: Where a tile's sample has its target.
    """

    tiles: TileDataset
    indices: np.ndarray
    dates: tuple[int, ...]
    windows: Windows
    target_key: str

    def __len__(self) -> int:
        return len(self.indices) * self.windows.count

    def whole(self) -> "Reading":
        """The same tiles, uncut."""
        return replace(self, windows=Windows.whole(self.windows.tile))

    def images(self, items: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (B, T, C, h, w) of some items, and the targets of the tiles they are from."""
        count = self.windows.count
        tiles, which = np.unique(items // count, return_inverse=True)
        samples = self.tiles.__getitems__([int(i) for i in self.indices[tiles]])
        images = [torch.as_tensor(sample["image"])[list(self.dates)] for sample in samples]
        cut = [
            self.windows.cut(images[tile], int(item) % count)
            for tile, item in zip(which, items, strict=True)
        ]
        targets = [torch.as_tensor(sample[self.target_key]) for sample in samples]
        return torch.stack(cut), torch.stack(targets)

    def targets(self) -> Tensor:
        """(N, ...) targets by tile, as :class:`eosfm.tiles.dataset.TileDataset` gives them."""
        # One tile at a time: its images are read along, since they say what was not measured.
        firsts = (self.windows.items(np.array([tile]))[:1] for tile in range(len(self.indices)))
        return torch.cat([self.images(first)[1] for first in firsts])

    def days(self) -> Tensor:
        """(N, T) days of the dates in use, NaN where the store does not tell."""
        from pyarrow import parquet

        table = parquet.read_table(self.tiles.tiles.path / "tiles.parquet", columns=["dates"])
        dates = table["dates"].to_pylist()
        stored = self.tiles.store.shape[0]
        return torch.from_numpy(days_of([dates[i] or () for i in self.indices], self.dates, stored))

    def chunks(self) -> Iterator[np.ndarray]:
        """All items, whole tiles at a time, few enough to be encoded at once."""
        step = max(1, BATCH // (len(self.dates) * self.windows.count))
        for start in range(0, len(self.indices), step):
            yield self.windows.items(np.arange(start, min(start + step, len(self.indices))))


def read_split(task: TaskInput, split: Split) -> Reading:
    """How a task reads a split."""
    # Tiles are standardised unless the specialists do that themselves.
    standardize = task.standardize == "dataset"
    return Reading(
        TileDataset(task.store, split, task.bands, standardize=standardize),
        task.indices(split),
        task.dates,
        task.windows,
        task.kind.target_key,
    )


class ImageSplit:
    """A split as images, item by item, for models that are trained from the pixels on.

    Attributes:
        targets: By tile.
        days: (N, T) day of each date by tile, NaN where unknown.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.windows = reading.windows
        self.days = reading.days()
        self.targets = reading.targets()

    def __len__(self) -> int:
        return len(self.reading)

    def batch(self, items: np.ndarray) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Images (B, T, C, h, w) with their days, and targets."""
        images, _ = self.reading.images(items)
        days = self.days[torch.from_numpy(items // self.windows.count)]
        return (images, days), self.windows.cut_items(self.targets, items)
