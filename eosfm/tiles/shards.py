"""The files of one split, as a store writes them: rows appended to shards, then the tables."""

import zlib
from array import array
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.band_groups import BandGroup
from eosfm.datasets.native.spec import Dataset
from eosfm.kinds import get_kind
from eosfm.tiles.codec import BLANK, encode_bands, encode_target
from eosfm.tiles.layout import Tile, image_layouts, image_names, shard_header, target_layout

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
        self.files: dict[str, dict[str, int]] = {}
        self._file: Any = None
        self._sum = 0

    def append(self, row: np.ndarray) -> None:
        """Write a row."""
        if self._file is None or self.rows[-1] == self.limit:
            self.close()
            self._file = (self.folder / f"{self.name}-{len(self.rows):05d}.npy").open("wb")
            self._sum = 0
            self.rows.append(0)
            self._header()
        if row.shape != self._row.shape:
            self._row[...] = self.fill
        self._row[tuple(slice(length) for length in row.shape)] = row
        self._file.write(self._row.data)
        self._sum = zlib.crc32(self._row.data, self._sum)
        self.rows[-1] += 1

    def close(self) -> None:
        """Write the final number of rows into the header and close the file."""
        if self._file is not None:
            size = self._file.tell()
            self.files[Path(self._file.name).name] = {"bytes": size, "crc32": self._sum}
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
        self.folder = folder
        self.dataset = dataset
        self._groups = [(group, _where(group, dataset.bands)) for group in dataset.band_groups]
        layouts = image_layouts(dataset.band_groups, shape)
        largest = max(dtype.itemsize * prod(part) for dtype, part in layouts)
        rows = max(1, (SHARD_BYTES - 4096) // largest)
        fill = 0 if dataset.nodata is None else dataset.nodata
        self._images = [
            Shards(folder, name, *layout, rows, fill if group.nodata is None else group.nodata)
            for name, layout, group in zip(
                image_names(dataset.band_groups), layouts, dataset.band_groups, strict=True
            )
        ]
        steps = dataset.target_steps
        target = target_layout(dataset.kind, len(dataset.classes), shape[2:], ignore_index, steps)
        blank = BLANK if steps else get_kind(dataset.kind).blank(ignore_index)
        self._targets = Shards(folder, "targets", *target, rows, blank) if target else None
        self._boxes: list[np.ndarray] = []
        self.ids: list[str] = []
        self._scenes: list[Tile] = []  # provenance without pixels, one per scene
        self._scene_of = array("q")
        self._numbers = array("d")  # row, col, height, width, valid of each tile

    def append(self, tile: Tile, valid: float) -> None:
        """Write a tile and its share of valid pixels.

        Raises:
            EosfmError: It holds values that the stored types cannot.
        """
        height, width = tile.image.shape[2:]
        where = f"{self.dataset.name}: scene {tile.scene}"
        for (group, bands), shards in zip(self._groups, self._images, strict=True):
            shards.append(encode_bands(tile.image[:, bands], group, where))
        if self._targets is None:
            self._boxes.append(np.asarray(tile.target, np.float32).reshape(-1, 5))
        else:
            target, steps = np.asarray(tile.target), self.dataset.target_steps
            self._targets.append(encode_target(target, steps, where) if steps else target)
        self.ids.append(f"{tile.scene}:{tile.row}:{tile.col}")
        last = self._scenes[-1] if self._scenes else None
        if last is None or (last.scene, last.dates) != (tile.scene, tile.dates):
            self._scenes.append(replace(tile, image=np.empty(0), target=np.empty(0)))
        self._scene_of.append(len(self._scenes) - 1)
        self._numbers.extend((tile.row, tile.col, height, width, valid))

    def close_files(self) -> None:
        """Close the shards."""
        for shards in self._shards():
            shards.close()

    def close(self) -> dict[str, Any]:
        """Write the tables; the shards are closed already.

        Returns:
            What the manifest says of the split.
        """
        from eosfm.tiles.tables import write_boxes, write_tiles

        numbers = np.frombuffer(self._numbers, np.float64).reshape(-1, 5)
        scenes = [self._scenes[index] for index in self._scene_of]
        tables = [self.folder / "tiles.parquet"]
        write_tiles(tables[0], self.ids, scenes, numbers)
        if self._targets is None:
            tables.append(self.folder / "targets.parquet")
            write_boxes(tables[1], self._boxes)
        files = {name: facts for shards in self._shards() for name, facts in shards.files.items()}
        for table in tables:
            content = table.read_bytes()
            files[table.name] = {"bytes": len(content), "crc32": zlib.crc32(content)}
        return {"rows": self._images[0].rows, "files": files}

    def _shards(self) -> list[Shards]:
        return [*self._images, *([self._targets] if self._targets else [])]


def _where(group: BandGroup, bands: tuple[str, ...]) -> Any:
    """Channel positions of a group's bands: a slice, which is not copied, if they are adjacent."""
    positions = group.positions(bands)
    run = slice(positions[0], positions[0] + len(positions))
    return run if positions == list(range(len(bands)))[run] else positions
