"""Writing a tile store: rows appended to shards, one pass, a flat amount of memory."""

import json
import shutil
from array import array
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.spec import Dataset
from eosfm.tiles.layout import FORMAT, PIXEL_KINDS, UNLABELLED, Tile, target_layout
from eosfm.tiles.statistics import BandStatistics, unmeasured

SHARD_BYTES = 512 * 2**20


class TileWriter:
    """Writes a store beside its place and moves it there when the ``with`` block ends well.

    Args:
        out: The store's folder; replaced if it exists.
        dataset: What is written.
        tile: Tile size that was asked for; None for whole images.
    """

    def __init__(self, out: Path, dataset: Dataset, tile: int | None) -> None:
        self.out = out
        self.dataset = dataset
        self.tile = tile
        self.dropped = 0
        self.ignore_index = UNLABELLED if dataset.ignore_index is None else dataset.ignore_index
        self._partial = out.with_name(f".{out.name}.partial")
        self._statistics = BandStatistics(dataset.bands)
        self._counting = ThreadPoolExecutor(1)  # one thread: tiles are counted in their order
        self._counted: deque[Future[None]] = deque()
        self._shape: tuple[int, ...] | None = None
        self._splits: dict[Split, _SplitWriter] = {}

    def __enter__(self) -> Self:
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            self._counting.shutdown(cancel_futures=error is not None)
            for split in self._splits.values():
                split.close_files()
            if error is None:
                self._finish()
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)

    @property
    def tiles(self) -> dict[str, int]:
        """Tiles written so far, by split."""
        return {name: len(self._splits[name].ids) for name in SPLITS if name in self._splits}

    def add(self, tile: Tile, size: tuple[int, int]) -> None:
        """Append a tile, padded to ``size`` (height, width); a tile without data is dropped.

        Raises:
            EosfmError: Shape, dtype or target do not agree with the dataset or earlier tiles.
        """
        self._check(tile, size)
        missing = unmeasured(tile.image, self.dataset.nodata)
        measured = missing.size - int(np.count_nonzero(missing))
        if not measured:
            self.dropped += 1
            return
        if tile.split == "train":
            self._count(tile.image, missing)
        if tile.split not in self._splits:
            self._splits[tile.split] = _SplitWriter(
                self._partial / tile.split, self.dataset, (*tile.image.shape[:2], *size),
                self.ignore_index,
            )  # fmt: skip
        self._splits[tile.split].append(tile, measured / missing.size)

    def _count(self, image: np.ndarray, missing: np.ndarray) -> None:
        """Update the statistics beside the writing, a few tiles behind at most."""
        self._counted.append(self._counting.submit(self._statistics.update, image, missing))
        if len(self._counted) > 8:
            self._counted.popleft().result()

    def _check(self, tile: Tile, size: tuple[int, int]) -> None:
        spec, image = self.dataset, tile.image
        if image.ndim != 4 or image.shape[1] != len(spec.bands) or image.dtype != spec.dtype:
            raise EosfmError(
                f"{spec.name}: scene {tile.scene} gives {image.dtype} of shape {image.shape}; "
                f"expected {spec.dtype} of shape (T, {len(spec.bands)}, h, w); check its files"
            )
        shape = (image.shape[0], image.shape[1], *size)
        if self._shape is None:
            self._shape = shape
        if shape != self._shape:
            raise EosfmError(
                f"{spec.name}: scene {tile.scene} gives tiles of {shape} (dates, bands, height, "
                f"width), earlier ones {self._shape}; expected one shape; set "
                f"datasets.{spec.name}.tile where sizes differ"
            )
        _check_target(tile, spec, self.ignore_index)

    def _finish(self) -> None:
        if "train" not in self._splits:
            raise EosfmError(
                f"{self.dataset.name}: no training tile to write ({self.dropped} without data); "
                "expected some; check the dataset's root and its split files"
            )
        for counted in self._counted:
            counted.result()
        for split in self._splits.values():
            split.close()
        (self._partial / "store.json").write_text(json.dumps(self._manifest(), indent=2) + "\n")
        if self.out.exists():
            shutil.rmtree(self.out)
        self._partial.rename(self.out)

    def _manifest(self) -> dict[str, Any]:
        spec = self.dataset
        nodata = spec.nodata
        return {
            "format": FORMAT,
            "dataset": spec.name,
            "kind": spec.kind,
            "bands": spec.bands,
            "units": spec.units,
            "dtype": str(np.dtype(spec.dtype)),
            "classes": spec.classes,
            "ignore_index": self.ignore_index,
            "nodata": None if nodata is None or np.isnan(nodata) else nodata,
            "tile": self.tile,
            "shape": self._shape,
            "gsd": spec.gsd,
            "splits": {
                name: self._splits[name].shard_rows for name in SPLITS if name in self._splits
            },
            **self._statistics.summary(spec.name),
        }


def _check_target(tile: Tile, spec: Dataset, ignore_index: int) -> None:
    """Refuse labels that are not classes, before they become an index error in training."""
    target, where = tile.target, f"{spec.name}: scene {tile.scene}"
    if spec.kind in PIXEL_KINDS and target.shape != tile.image.shape[2:]:
        raise EosfmError(
            f"{where}: target of shape {target.shape} for an image of {tile.image.shape[2:]}; "
            "expected one value per pixel; check its files"
        )
    if spec.kind == "multilabel" and target.shape != (len(spec.classes),):
        raise EosfmError(
            f"{where}: target of shape {target.shape}; expected ({len(spec.classes)},); "
            "check its label file"
        )
    if spec.kind in ("regression", "multilabel"):
        return
    labels = target[:, 4] if spec.kind == "detection" else np.asarray(target)
    if not labels.size or (labels.min() >= 0 and labels.max() < len(spec.classes)):
        return
    wrong = ((labels < 0) | (labels >= len(spec.classes))) & (labels != ignore_index)
    if wrong.any():
        raise EosfmError(
            f"{where}: label {np.unique(labels[wrong])[0]:g}; expected 0 to "
            f"{len(spec.classes) - 1} or {ignore_index} (unlabelled); check its label file"
        )


class _Shards:
    """Rows of one shape appended to ``<name>-00000.npy``, ``<name>-00001.npy``, ...

    A row whose last two axes are smaller is padded with ``fill`` at the lower and right edges.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        dtype: np.dtype,
        shape: tuple[int, ...],
        rows: int,
        fill: float = 0,
    ) -> None:
        self.folder, self.name = folder, name
        self.limit, self.fill = rows, fill
        self._row = np.empty(shape, dtype)  # one buffer for all rows: fresh pages cost time
        self.rows: list[int] = []
        self._file: Any = None

    def append(self, row: np.ndarray) -> None:
        if self._file is None or self.rows[-1] == self.limit:
            self.close()
            self._file = (self.folder / f"{self.name}-{len(self.rows):05d}.npy").open("wb")
            self.rows.append(0)
            self._header()
        if row.shape != self._row.shape:
            self._row[...] = self.fill
        self._row[tuple(slice(length) for length in row.shape)] = row
        self._file.write(self._row.data)
        self.rows[-1] += 1

    def close(self) -> None:
        """Write the final number of rows into the header and close the file."""
        if self._file is not None:
            self._file.seek(0)
            self._header()
            self._file.close()
            self._file = None

    def _header(self) -> None:
        # Numpy pads the header so that the first axis can grow in place.
        shape = (self.rows[-1], *self._row.shape)
        description = {"descr": self._row.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, description)


class _SplitWriter:
    """The files of one split."""

    def __init__(
        self, folder: Path, dataset: Dataset, shape: tuple[int, ...], ignore_index: int
    ) -> None:
        folder.mkdir()
        self.folder = folder
        dtype = np.dtype(dataset.dtype)
        rows = max(1, (SHARD_BYTES - 4096) // (dtype.itemsize * int(np.prod(shape))))
        fill = 0 if dataset.nodata is None else dataset.nodata
        self._images = _Shards(folder, "images", dtype, shape, rows, fill)
        layout = target_layout(dataset.kind, len(dataset.classes), shape[2:], ignore_index)
        blank = np.nan if dataset.kind == "regression" else ignore_index
        self._targets = _Shards(folder, "targets", *layout, rows, blank) if layout else None
        self._boxes: list[np.ndarray] = []
        self.ids: list[str] = []
        self._scenes: list[Tile] = []  # without pixels: one per scene, for its provenance
        self._scene_of = array("q")
        self._numbers = array("d")  # row, col, height, width, valid of each tile

    @property
    def shard_rows(self) -> list[int]:
        return self._images.rows

    def append(self, tile: Tile, valid: float) -> None:
        height, width = tile.image.shape[2:]
        self._images.append(tile.image)
        if self._targets is None:
            self._boxes.append(np.asarray(tile.target, np.float32).reshape(-1, 5))
        else:
            self._targets.append(np.asarray(tile.target))
        self.ids.append(f"{tile.scene}:{tile.row}:{tile.col}")
        if not self._scenes or self._scenes[-1].scene != tile.scene:
            empty = np.empty(0)
            self._scenes.append(
                Tile(tile.split, tile.scene, tile.source, 0, 0, empty, empty, tile.crs,
                     tile.transform, tile.dates)
            )  # fmt: skip
        self._scene_of.append(len(self._scenes) - 1)
        self._numbers.extend((tile.row, tile.col, height, width, valid))

    def close_files(self) -> None:
        self._images.close()
        if self._targets is not None:
            self._targets.close()

    def close(self) -> None:
        """Write the tables; the shards are closed already."""
        from eosfm.tiles.tables import write_boxes, write_tiles

        numbers = np.frombuffer(self._numbers, np.float64).reshape(-1, 5)
        scenes = [self._scenes[index] for index in self._scene_of]
        write_tiles(self.folder / "tiles.parquet", self.ids, scenes, numbers)
        if self._targets is None:
            write_boxes(self.folder / "targets.parquet", self._boxes)
