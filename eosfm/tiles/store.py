"""Opening a tile store: all files checked at once, each mapped when it is first read."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eosfm.core.bands import find
from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split
from eosfm.kinds import TargetStatistics, get_kind
from eosfm.kinds.examples import spread
from eosfm.kinds.targets import STATISTICS_TILES
from eosfm.tiles.codec import decode_bands, decode_target, window_of
from eosfm.tiles.layout import image_layouts, image_names, target_layout
from eosfm.tiles.manifest import SplitFacts, read_manifest
from eosfm.tiles.mapping import Shard, check_size, crc32_of

if TYPE_CHECKING:
    import geopandas


class TileStore:
    """A dataset cut to uniform tiles, opened for reading.

    Attributes:
        path: The store's folder.
        name: The dataset's name.
        source: Where its files came from: ``simulated``, ``archive``, or ``root`` for a user's.
        kind: Task kind of its labels.
        bands: Band names in stored order.
        units: Unit of each band.
        groups: The bands by what they are stored in.
        dtype: Dtype that images are read in, which holds that of every group, and NaN where one
            group may have gaps that the others do not have.
        faults: What is wrong with bands that are constant, unmeasured or absent, by name; the
            absent ones are not among ``bands``.
        classes: Class names by index.
        ignore_index: Target value that is never scored, always an integer.
        nodata: Image value that means "not measured" when all bands have it, or None.
        target_unit: Unit of a regression target.
        target_steps: Stored steps per target unit; None where targets are stored as they are read.
        tile: Tile size that was asked for; None where whole images are stored.
        shape: (T, C, H, W) of every image.
        gsd: Ground sampling distance in metres.
        mean: Mean over the training split by name of a band without fault, nodata left out, in
            the band's unit.
        std: Standard deviation by band name, likewise.
        valid: Share of the training pixels that were measured, by band name.
        splits: Names of the splits that hold tiles.

    Raises:
        EosfmError: The store is missing, incomplete, damaged or of another format.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        facts = read_manifest(self.path, remedy(self.path))
        self.name = facts.dataset
        self.source = facts.source
        self.kind = facts.kind
        self.bands = facts.bands
        self.units = facts.units
        self.groups = facts.groups
        dtypes = [group.dtype for group in facts.groups]
        if len(dtypes) > 1 and any(group.nodata is not None for group in facts.groups):
            dtypes.append("float32")
        self.dtype = np.result_type(*dtypes)
        self.faults = facts.faults
        self.classes = facts.classes
        self.ignore_index = facts.ignore_index
        self.nodata = facts.nodata
        self.target_unit = facts.target_unit
        self.target_steps = facts.target_steps
        self.tile = facts.tile
        self.shape = facts.shape
        self.gsd = facts.gsd
        self.mean = facts.mean
        self.std = facts.std
        self.valid = facts.valid
        self._splits = {name: TileSplit(self, name, of) for name, of in facts.splits.items()}
        self.splits = tuple(self._splits)

    def usable(self, name: str) -> str:
        """The stored band that is ``name`` or means the same (red is B04).

        Raises:
            EosfmError: There is none, or it is faulty (constant, unmeasured or absent).
        """
        good = [band for band in self.bands if band not in self.faults]
        if found := find(name, good):
            return found
        if faulty := find(name, self.faults):
            raise EosfmError(
                f"{self.path}: band {faulty} {self.faults[faulty]}; choose among {', '.join(good)}"
            )
        raise EosfmError(
            f"{self.path} has no band {name!r}; it has {', '.join(good)}; choose among these"
        )

    def split(self, name: str) -> "TileSplit":
        """The tiles of one split.

        Raises:
            EosfmError: The store has no tiles of that split.
        """
        if name not in self._splits:
            raise EosfmError(
                f"{self.path} has no tiles of split {name!r}; {suggest(name, self.splits)}"
            )
        return self._splits[name]

    def target_statistics(self) -> TargetStatistics:
        """What the training targets are like, from tiles that are spread evenly.

        Raises:
            EosfmError: There is no training tile, or none of them is labelled.
        """
        split = self.split("train")
        chosen = spread(len(split), STATISTICS_TILES)
        return get_kind(self.kind).target_statistics(
            map(split.target, chosen), len(self.classes), self.ignore_index
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return TileStore, (self.path,)  # a worker process maps the files itself


class TileSplit:
    """The tiles of one split.

    Images and targets are read-only views of mapped files. Whoever keeps one keeps its file open:
    copy what is to stay.
    """

    def __init__(self, store: TileStore, name: Split, facts: SplitFacts) -> None:
        self.store = store
        self.name = name
        self.path = store.path / name
        self._starts = np.cumsum([0, *facts.rows])
        self._remedy = remedy(store.path)
        self._facts = facts
        self._images = [
            self._shards(file, *layout)
            for file, layout in zip(
                image_names(store.groups), image_layouts(store.groups, store.shape), strict=True
            )
        ]
        layout = target_layout(
            store.kind, len(store.classes), store.shape[2:], store.ignore_index, store.target_steps
        )
        self._targets = None if layout is None else self._shards("targets", *layout)
        for table in ("tiles.parquet", *(["targets.parquet"] if layout is None else [])):
            size = facts.files[table].bytes if table in facts.files else None
            check_size(self.path / table, size, " by store.json", self._remedy)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def parts(self, index: int) -> list[np.ndarray]:
        """Image ``index`` as it is stored: (T, C, h, w) of each of the store's groups."""
        shard, row = self._locate(index)
        return [shards[shard].array()[row] for shards in self._images]

    def image(self, index: int) -> np.ndarray:
        """Image ``index`` as (T, C, H, W) in the store's dtype; a view where it has one group."""
        store, parts = self.store, self.parts(index)
        if len(parts) == 1:
            return parts[0]
        image = np.empty(store.shape, store.dtype)
        for group, part in zip(store.groups, parts, strict=True):
            pixels = window_of(part, group.step, 0, 0, (store.shape[2], store.shape[3]))
            image[:, group.positions(store.bands)] = decode_bands(pixels, group, store.dtype)
        return image

    def target(self, index: int) -> np.ndarray:
        """Target ``index`` as the kind lays it out; (n, 5) float32 where it is a table of boxes."""
        if self._targets is None:
            return self._boxes[index]
        shard, row = self._locate(index)
        stored, steps = self._targets[shard].array()[row], self.store.target_steps
        return decode_target(stored, steps) if steps else stored

    def sums(self) -> Iterator[tuple[Path, int, int]]:
        """Each file with the CRC-32 that the store tells, and that of what it holds.

        Raises:
            EosfmError: A file cannot be read.
        """
        shards = {s.path: s for group in [*self._images, self._targets or []] for s in group}
        for name, told in self._facts.files.items():
            path = self.path / name
            header = len(shards[path].header) if path in shards else 0
            yield path, told.crc32, crc32_of(path, header)

    @property
    def targets(self) -> Sequence[np.ndarray]:
        """All targets, each read when it is asked for."""
        return _Targets(self)

    @cached_property
    def table(self) -> "geopandas.GeoDataFrame":
        """One row per tile: id, scene, source, row, col, height, width, crs, dates, valid."""
        import geopandas

        return geopandas.read_parquet(self.path / "tiles.parquet")

    @cached_property
    def extents(self) -> np.ndarray:
        """(N, 2) height and width of each tile without its padding."""
        return np.stack([self._column("height"), self._column("width")], axis=1)

    @cached_property
    def sources(self) -> np.ndarray:
        """(N,) the product that each tile was cut from, else its file."""
        return self._column("source").astype(str)

    def _column(self, name: str) -> np.ndarray:
        from pyarrow import parquet

        return parquet.read_table(self.path / "tiles.parquet", columns=[name])[name].to_numpy()

    @cached_property
    def _boxes(self) -> list[np.ndarray]:
        from eosfm.tiles.tables import read_boxes

        return read_boxes(self.path / "targets.parquet", len(self))

    def _locate(self, index: int) -> tuple[int, int]:
        if not 0 <= index < self._starts[-1]:
            raise IndexError(f"tile {index} of {len(self)}")
        if len(self._starts) == 2:
            return 0, index
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return shard, index - int(self._starts[shard])

    def _shards(self, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> list[Shard]:
        shards = [
            Shard(self.path / f"{name}-{number:05d}.npy", dtype, (count, *shape), self._remedy)
            for number, count in enumerate(self._facts.rows)
        ]
        for shard in shards:
            shard.check()
        return shards

    def __reduce__(self) -> tuple[Any, ...]:
        return TileStore.split, (self.store, self.name)


class _Targets(Sequence[np.ndarray]):
    def __init__(self, split: TileSplit) -> None:
        self._split = split

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: Any) -> Any:
        return self._split.target(index)


def remedy(path: Path) -> str:
    """What to do about a store that cannot be read."""
    return f"run `dvc repro -f data/dvc.yaml:tile@{path.name}`"
