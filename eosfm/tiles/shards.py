"""The files of one split, as a store writes them: rows appended to shards, then the tables."""

from array import array
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.datasets.native.spec import Dataset
from eosfm.kinds import get_kind
from eosfm.tiles.layout import Tile, shard_header

SHARD_BYTES = 512 * 2**20


class Shards:
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
        """Write a row."""
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
        shape = (self.rows[-1], *self._row.shape)
        self._file.write(shard_header(self._row.dtype, shape))


class SplitWriter:
    """The files of one split."""

    def __init__(
        self, folder: Path, dataset: Dataset, shape: tuple[int, ...], ignore_index: int
    ) -> None:
        folder.mkdir(parents=True)
        kind = get_kind(dataset.kind)
        self.folder = folder
        dtype = np.dtype(dataset.dtype)
        rows = max(1, (SHARD_BYTES - 4096) // (dtype.itemsize * int(np.prod(shape))))
        fill = 0 if dataset.nodata is None else dataset.nodata
        self._images = Shards(folder, "images", dtype, shape, rows, fill)
        layout = kind.target_layout(len(dataset.classes), shape[2:], ignore_index)
        blank = kind.blank(ignore_index)
        self._targets = Shards(folder, "targets", *layout, rows, blank) if layout else None
        self._boxes: list[np.ndarray] = []
        self.ids: list[str] = []
        self._scenes: list[Tile] = []  # without pixels: one per scene, for its provenance
        self._scene_of = array("q")
        self._numbers = array("d")  # row, col, height, width, valid of each tile

    @property
    def shard_rows(self) -> list[int]:
        """Tiles in each shard."""
        return self._images.rows

    def append(self, tile: Tile, valid: float) -> None:
        """Write a tile, of which a share is valid."""
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
        """Close the shards."""
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
