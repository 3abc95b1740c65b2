"""Writing a tile store: rows appended to shards, one pass, a flat amount of memory."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.days import is_day
from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.native.spec import Dataset
from eosfm.kinds import get_kind
from eosfm.tiles.layout import UNLABELLED, Tile
from eosfm.tiles.manifest import Origin, write_manifest
from eosfm.tiles.shards import SplitWriter
from eosfm.tiles.statistics import PLAUSIBLE, BandStatistics, check_units, unmeasured

ABSENT = "is in none of the files"
"""What is wrong with a band that no scene has."""


@contextmanager
def writing(
    out: Path, dataset: Dataset, tile: int | None, source: Origin, absent: Sequence[str] = ()
) -> Iterator["TileWriter"]:
    """Write a store that appears at ``out``, whole, when the ``with`` block ends well.

    Args:
        out: The store's folder; replaced if it exists.
        dataset: What is written.
        tile: Tile size that was asked for; None for whole images.
        source: Where its files come from.
        absent: Bands of the dataset that the files lack, and that are none of ``dataset``'s.
    """
    # One thread counts, so that the tiles are counted in their order.
    with atomic(out) as folder, ThreadPoolExecutor(1) as counting:
        writer = TileWriter(folder, dataset, tile, source, absent, counting)
        try:
            yield writer
        finally:
            writer.close_files()
        writer.finish()


@dataclass(eq=False)
class TileWriter:
    """A store that grows by tiles: see :func:`writing`."""

    folder: Path
    dataset: Dataset
    tile: int | None
    source: Origin
    absent: Sequence[str]
    counting: ThreadPoolExecutor
    dropped: int = 0

    def __post_init__(self) -> None:
        ignored = self.dataset.ignore_index
        unused = UNLABELLED if len(self.dataset.classes) <= UNLABELLED else -1
        self.ignore_index = unused if ignored is None else ignored
        self._kind = get_kind(self.dataset.kind)
        if fault := self._kind.misdescribed(len(self.dataset.classes), ignored):
            raise EosfmError(f"{self.dataset.name}: {fault}")
        self._statistics = BandStatistics(self.dataset.bands)
        self._counted: deque[Future[None]] = deque()
        self._shape: tuple[int, ...] | None = None
        self._splits: dict[Split, SplitWriter] = {}

    @property
    def tiles(self) -> dict[str, int]:
        """Tiles written so far, by split."""
        return {name: len(self._splits[name].ids) for name in SPLITS if name in self._splits}

    def add(self, tile: Tile, size: tuple[int, int]) -> None:
        """Append a tile, padded to ``size`` (height, width); a tile without data is dropped.

        A date on which none of its pixels was measured is stored as an empty string.

        Raises:
            EosfmError: Shape, dtype or target do not agree with the dataset or earlier tiles.
        """
        self._check(tile, size)
        if tile.image.dtype.kind == "f" and (endless := np.isinf(tile.image)).any():
            # The decibels of 0, say; one infinite value would make the mean infinite.
            tile = replace(tile, image=np.where(endless, np.nan, tile.image))
        missing = unmeasured(tile.image, self.dataset.nodata)
        self._check_gaps(tile, missing)
        measured = missing.size - int(np.count_nonzero(missing))
        if not measured:
            self.dropped += 1
            return
        if tile.split == "train":
            self._count(tile.image, missing)
        if tile.dates:
            days = zip(tile.dates, missing, strict=True)
            tile = replace(tile, dates=tuple("" if gone.all() else day for day, gone in days))
        if tile.split not in self._splits:
            self._splits[tile.split] = SplitWriter(
                self.folder / tile.split, self.dataset, (*tile.image.shape[:2], *size),
                self.ignore_index,
            )  # fmt: skip
        self._splits[tile.split].append(tile, measured / missing.size)

    def _check_gaps(self, tile: Tile, missing: np.ndarray) -> None:
        """Refuse nodata in some bands of a pixel, where it is no value that the bands may have.

        Elsewhere it may be: 0 is dark, and 255 is bright.
        """
        nodata = self.dataset.nodata
        ranges = [PLAUSIBLE[unit] for unit in self.dataset.units]
        if (
            nodata is None
            or np.isnan(nodata)
            or all(low <= nodata <= high for low, high, _ in ranges)
        ):
            return
        if ((tile.image == nodata).any(axis=1) & ~missing).any():
            raise EosfmError(
                f"{self.dataset.name}: scene {tile.scene} has the nodata value {nodata:g} in some "
                "bands of a pixel alone; expected it in all or none; let the reader give NaN "
                "there, and state dtype float32 and nodata NaN"
            )

    def _count(self, image: np.ndarray, missing: np.ndarray) -> None:
        """Update the statistics beside the writing, a few tiles behind at most."""
        self._counted.append(self.counting.submit(self._statistics.update, image, missing))
        if len(self._counted) > 8:
            self._counted.popleft().result()

    def _check(self, tile: Tile, size: tuple[int, int]) -> None:
        spec, image = self.dataset, tile.image
        if image.ndim != 4 or image.shape[1] != len(spec.bands) or image.dtype != spec.dtype:
            raise EosfmError(
                f"{spec.name}: scene {tile.scene} gives {image.dtype} of shape {image.shape}; "
                f"expected {spec.dtype} of shape (T, {len(spec.bands)}, h, w); check its "
                "files and its reader (for a series, raster_scene takes `dates` or `frames`)"
            )
        shape = (image.shape[0], image.shape[1], *size)
        if self._shape is None:
            self._shape = shape
        if shape != self._shape:
            cure = f"set datasets.{spec.name}.tile where sizes differ"
            if self._kind.answer == "image":  # which has one label and stays whole
                cure = "let the reader crop images to one (see `crop` of native/scenes.py)"
            if shape[0] != self._shape[0]:
                cure = (
                    "let the reader give as many dates of each (see `evenly` of native/series.py)"
                )
            raise EosfmError(
                f"{spec.name}: scene {tile.scene} gives tiles of {shape} (dates, bands, height, "
                f"width), earlier ones {self._shape}; expected one shape; {cure}"
            )
        if self._kind.bitemporal and image.shape[0] != 2:
            raise EosfmError(
                f"{spec.name}: scene {tile.scene} has {image.shape[0]} date(s); expected two, "
                "before and after, for change; let the reader give both"
            )
        if tile.dates and len(tile.dates) != image.shape[0]:
            raise EosfmError(
                f"{spec.name}: scene {tile.scene} has {len(tile.dates)} dates for "
                f"{image.shape[0]} images; expected one each; let the reader give them so"
            )
        if wrong := [day for day in tile.dates if day and not is_day(day)]:  # "": without an image
            raise EosfmError(
                f"{spec.name}: scene {tile.scene} has a date {wrong[0]!r}; expected ISO dates such "
                "as 2021-07-01; let the reader write them so"
            )
        days = [day for day in tile.dates if day]
        if swapped := [f"{day} after {last}" for last, day in pairwise(days) if day < last]:
            raise EosfmError(
                f"{spec.name}: scene {tile.scene} has the date {swapped[0]}; expected dates from "
                "the first day to the last; let the reader sort its images by them"
            )
        where, size = f"{spec.name}: scene {tile.scene}", image.shape[2:]
        self._kind.check_target(tile.target, size, len(spec.classes), spec.ignore_index, where)

    def close_files(self) -> None:
        """Close the shards."""
        for split in self._splits.values():
            split.close_files()

    def finish(self) -> None:
        """Write the tables and the manifest; the shards are closed already.

        Raises:
            EosfmError: There is no training tile.
        """
        if "train" not in self._splits:
            raise EosfmError(
                f"{self.dataset.name}: no training tile to write ({self.dropped} without data); "
                "expected some; check the dataset's root and its split files"
            )
        for counted in self._counted:
            counted.result()
        splits = {name: self._splits[name].close() for name in SPLITS if name in self._splits}
        write_manifest(self.folder, self._manifest(splits))

    def _manifest(self, splits: dict[Split, Any]) -> dict[str, Any]:
        spec, nodata = self.dataset, self.dataset.nodata
        statistics = self._statistics.summary()
        check_units(spec.name, spec.bands, spec.units, statistics["mean"], statistics["std"])
        return {
            "dataset": spec.name,
            "source": self.source,
            "kind": spec.kind,
            "bands": spec.bands,
            "units": spec.units,
            "groups": spec.band_groups,
            "classes": spec.classes,
            "ignore_index": self.ignore_index,
            "nodata": None if nodata is None or np.isnan(nodata) else nodata,
            "target_unit": spec.target_unit,
            "target_steps": spec.target_steps,
            "tile": self.tile,
            "shape": self._shape,
            "gsd": spec.gsd,
            "splits": splits,
            **statistics,
            "faults": statistics["faults"] | {name: ABSENT for name in self.absent},
        }
