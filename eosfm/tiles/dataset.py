"""Tiles as training samples: chosen bands, crops, augmentation, standardisation."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from eosfm.core.errors import EosfmError
from eosfm.kinds import Kind, get_kind
from eosfm.kinds.pixel import PixelKind
from eosfm.recipes import Moves
from eosfm.tiles.codec import window_of
from eosfm.tiles.statistics import unmeasured_among
from eosfm.tiles.store import TileStore
from eosfm.tiles.views import View, turned, turned_boxes

Look = tuple[int, int]
"""A tile, and how often an epoch has seen it before."""


class Choice(NamedTuple):
    """Bands that come from one of the store's groups.

    Attributes:
        group: Position of the group.
        stored: Positions of the bands in the group, or all of them as a slice.
        channels: Positions that they take in a sample, likewise.
    """

    group: int
    stored: Any
    channels: Any


class Pixels(NamedTuple):
    """Windows as they are stored.

    Attributes:
        images: (B, T, C, h, w) in the store's dtype.
        missing: (B, T, h, w) True where nothing was measured.
        targets: One per window, in the store's dtype; what has no target is marked.
    """

    images: np.ndarray
    missing: np.ndarray
    targets: list[np.ndarray]


class TileDataset(Dataset[dict[str, Any]]):
    """Samples of one split.

    A sample is ``image`` (T, C, h, w) float32, ``index``, and its target under torchgeo's key. By
    kind: classification ``label``, an int64 scalar; multilabel ``label`` (K,) int64; segmentation
    and change ``mask`` (h, w) int64; regression ``mask`` (h, w) float32; detection ``bbox_xyxy``
    (n, 4) float32 of x_min, y_min, x_max, y_max in pixels and ``label`` (n,) int64.

    Unmeasured values (nodata, NaN, padding) become their band's mean, which is neutral and 0
    once standardised. In pixel targets, pixels that were measured on no date (for change: not on
    both) become the store's ``ignore_index``, or NaN for regression.

    Args:
        store: Where the tiles are.
        split: ``train``, ``val`` or ``test``.
        bands: Names in the order wanted, by meaning (red finds B04); repetition is allowed.
        crop: Height and width of a random window; None, or a size that the tile does not
            exceed, takes the whole tile.
        moves: In which ways samples are turned and mirrored, each as often.
        seed: Crops and moves follow from (seed, epoch, index) alone, and from the number of the
            :data:`Look` where an epoch sees a tile more than once.
        standardize: Whether to subtract the mean and divide by the standard deviation of each
            band; False gives physical units.
        scaling: What to subtract and to divide by instead, each one value per band.
        single_date: Give images as (C, h, w), which is what torchgeo's trainers take.

    Raises:
        EosfmError: The store lacks the split or a band, or has several dates where one is wanted.
    """

    def __init__(
        self,
        store: TileStore,
        split: str,
        bands: Sequence[str],
        crop: int | None = None,
        moves: Moves = "none",
        seed: int = 0,
        standardize: bool = True,
        scaling: tuple[Sequence[float], Sequence[float]] | None = None,
        single_date: bool = False,
    ) -> None:
        if single_date and store.shape[0] > 1:
            raise EosfmError(
                f"{store.path} has {store.shape[0]} dates; expected one; keep the axis of dates"
            )
        self.store = store
        self.kind = get_kind(store.kind)
        self.tiles = store.split(split)
        self.bands = tuple(bands)
        self.moves = moves
        self.seed = seed
        self.standardize = standardize
        self.single_date = single_date
        self.epoch = 0
        height, width = store.shape[2:]
        self.size = (min(crop or height, height), min(crop or width, width))
        self._varies = moves != "none" or self.size != (height, width)
        names = [store.usable(name) for name in self.bands]
        self._choices = _choices(names, store)
        self._mean = _by_band([store.mean[name] for name in names])
        self._std = _by_band([store.std[name] for name in names])
        self._offset, self._divisor = (
            (self._mean, self._std) if scaling is None else map(_by_band, scaling)
        )

    def __len__(self) -> int:
        return len(self.tiles)

    @property
    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation per band, each (C, 1, 1) float32."""
        return self._mean, self._std

    def set_epoch(self, epoch: int) -> None:
        """Draw the crops and turns of another epoch."""
        self.epoch = epoch

    def __getitem__(self, look: int | Look) -> dict[str, Any]:
        return self.__getitems__([look])[0]

    def __getitems__(self, looks: Sequence[int | Look]) -> list[dict[str, Any]]:
        """Read a batch: native pixels gathered first, converted to float once."""
        pairs = [look if isinstance(look, tuple) else (look, 0) for look in looks]
        indices, views = [tile for tile, _ in pairs], [self._view(*pair) for pair in pairs]
        pixels = self.pixels(indices, views, range(self.store.shape[0]))
        images = torch.from_numpy(self._finished(pixels.images, pixels.missing))
        images = images[:, 0] if self.single_date else images
        return [
            {"image": images[slot], **self._sample(pixels.targets[slot]), "index": index}
            for slot, index in enumerate(indices)
        ]

    def pixels(self, indices: Sequence[int], views: Sequence[View], dates: Sequence[int]) -> Pixels:
        """Read windows of some dates as stored; targets are masked by the nodata of all dates."""
        shape = (len(indices), len(dates), len(self.bands), *self.size)
        native = np.empty(shape, self.store.dtype)
        missing = np.zeros((len(indices), len(dates), *self.size), bool)
        targets = []
        for slot, (index, view) in enumerate(zip(indices, views, strict=True)):
            unseen = self._read(native[slot], index, view, dates)
            missing[slot] = unseen[list(dates)]
            targets.append(self._target(index, view, unseen))
        return Pixels(native, missing, targets)

    def _read(self, out: np.ndarray, index: int, view: View, dates: Sequence[int]) -> np.ndarray:
        """Read a window of some dates into ``out`` (dates, C, h, w); its (T, h, w) nodata mask."""
        missing = np.ones((self.store.shape[0], *self.size), bool)
        parts = self.tiles.parts(index)
        for choice in self._choices:
            group = self.store.groups[choice.group]
            pixels = window_of(parts[choice.group], group.step, view.row, view.col, self.size)
            blank = unmeasured_among(pixels, choice.stored, group.nodata)
            holes = pixels.dtype.kind != "f" and out.dtype.kind == "f" and blank.any()
            for place, date in enumerate(dates):
                taken = turned(pixels[date][choice.stored], view)
                if holes:
                    taken = np.where(turned(blank[date], view), np.float32(np.nan), taken)
                out[place, choice.channels] = taken
            missing &= blank
        height, width = self.tiles.extents[index]
        missing[:, max(0, height - view.row) :] = True
        missing[:, :, max(0, width - view.col) :] = True
        return turned(missing, view)

    def corner(self, index: int, rng: np.random.Generator) -> tuple[int, int]:
        """Row and column of a random window of a tile."""
        # Windows keep clear of the padding where the measured part is large enough.
        extent = self.tiles.extents[index]
        row, col = (int(rng.integers(max(0, extent[k] - self.size[k]) + 1)) for k in (0, 1))
        return row, col

    def _view(self, index: int, look: int) -> View:
        if not self._varies:
            return View(0, 0, 0, False)
        rng = np.random.default_rng((self.seed, self.epoch, index, look))
        row, col = self.corner(index, rng)
        if self.moves == "none":
            return View(row, col, 0, False)
        # A quarter turn would swap the sides; half a turn is two mirrors.
        step = 1 if self.moves == "turns" and self.size[0] == self.size[1] else 2
        return View(row, col, step * int(rng.integers(4 // step)), bool(rng.integers(2)))

    def _finished(self, native: np.ndarray, missing: np.ndarray) -> np.ndarray:
        images = native.astype(np.float32)
        if missing.any():
            np.copyto(images, self._mean, where=missing[:, :, None])
        if native.dtype.kind == "f":
            np.copyto(images, self._mean, where=np.isnan(images))
        if self.standardize:
            images -= self._offset
            images /= self._divisor
        return images

    def _target(self, index: int, view: View, missing: np.ndarray) -> np.ndarray:
        """A window's target in the store's dtype; boxes as (n, 5), cut and turned along."""
        target = self.tiles.target(index)
        if self.kind.answer == "object":
            return turned_boxes(target, view, self.size)
        if isinstance(self.kind, PixelKind):
            window = window_of(target, 1, view.row, view.col, self.size)
            target = np.array(turned(window, view))
            target[self.kind.unknown(missing)] = self.kind.blank(self.store.ignore_index)
        return np.asarray(target)

    def _sample(self, target: np.ndarray) -> dict[str, torch.Tensor]:
        """A target as torchgeo's trainers take it."""
        key = self.kind.target_key
        if self.kind.answer == "object":
            boxes = torch.from_numpy(target)
            return {key: boxes[:, :4], "label": boxes[:, 4].long()}
        return {
            key: torch.as_tensor(
                target.astype(np.float32 if target.dtype.kind == "f" else np.int64)
            )
        }


def collate(kind: Kind) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """What makes a batch of a kind's samples."""
    return collate_boxes if kind.answer == "object" else default_collate


def collate_boxes(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Batch detection samples: boxes, which differ in number from tile to tile, stay a list."""
    return {
        "image": torch.stack([sample["image"] for sample in samples]),
        "bbox_xyxy": [sample["bbox_xyxy"] for sample in samples],
        "label": [sample["label"] for sample in samples],
        "index": torch.tensor([sample["index"] for sample in samples]),
    }


def _by_band(values: Sequence[float]) -> np.ndarray:
    """(C, 1, 1) float32."""
    return np.array(values, np.float32)[:, None, None]


def _choices(names: Sequence[str], store: TileStore) -> list[Choice]:
    """Which bands come from which of the store's groups; slices, which do not copy, where all."""
    choices = []
    for number, group in enumerate(store.groups):
        channels = [place for place, name in enumerate(names) if name in group.bands]
        stored = [group.bands.index(names[place]) for place in channels]
        every, alone = stored == list(range(len(group.bands))), len(channels) == len(names)
        whole = slice(None)
        if channels:
            choices.append(Choice(number, whole if every else stored, whole if alone else channels))
    return choices
