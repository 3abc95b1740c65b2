"""Opening a tile store: all files checked at once, each mapped when it is first read."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.kinds import TargetStatistics, get_kind
from eosfm.kinds.examples import spread
from eosfm.tiles.layout import FORMAT
from eosfm.tiles.mapping import Shard, require

if TYPE_CHECKING:
    import geopandas


STATISTICS_TILES = 2000
"""Training tiles that the statistics of the targets are taken from, at most."""


class TileStore:
    """A dataset cut to uniform tiles, opened for reading.

    Attributes:
        path: The store's folder.
        name: The dataset's name.
        kind: Task kind of its labels.
        bands: Band names in stored order.
        units: Unit of each band.
        dtype: Native dtype of the images.
        classes: Class names by index.
        ignore_index: Target value that is never scored, always an integer.
        nodata: Image value that means "not measured" when all bands have it, or None.
        tile: Tile size that was asked for; None where whole images are stored.
        shape: (T, C, H, W) of every image.
        gsd: Ground sampling distance in metres.
        mean: Mean by band name over the training split, nodata left out, in the band's unit.
        std: Standard deviation by band name, likewise.
        valid: Share of the training pixels that were measured, by band name.
        splits: Names of the splits that hold tiles.

    Raises:
        EosfmError: The store is missing, incomplete, damaged or of another format.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        facts = self._read()
        self.name: str = facts["dataset"]
        self.kind: str = facts["kind"]
        self.bands: tuple[str, ...] = tuple(facts["bands"])
        self.units: tuple[str, ...] = tuple(facts["units"])
        self.dtype = np.dtype(facts["dtype"])
        self.classes: tuple[str, ...] = tuple(facts["classes"])
        self.ignore_index: int = facts["ignore_index"]
        self.nodata: float | None = facts["nodata"]
        self.tile: int | None = facts["tile"]
        self.shape: tuple[int, ...] = tuple(facts["shape"])
        self.gsd: float = facts["gsd"]
        self.mean: dict[str, float] = facts["mean"]
        self.std: dict[str, float] = facts["std"]
        self.valid: dict[str, float] = facts["valid"]
        self._splits = {name: TileSplit(self, name, rows) for name, rows in facts["splits"].items()}
        self.splits: tuple[str, ...] = tuple(self._splits)

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

    def _read(self) -> dict[str, Any]:
        path = self.path / "store.json"
        if not path.exists():
            raise EosfmError(f"{path} not found; expected a tile store; {remedy(self.path)}")
        try:
            facts = json.loads(path.read_text())
            found = facts["format"]
        except (ValueError, KeyError, TypeError):
            raise EosfmError(
                f"{path} is damaged; expected JSON with a format number; {remedy(self.path)}"
            ) from None
        if found != FORMAT:
            raise EosfmError(f"{path} is of format {found}; expected {FORMAT}; {remedy(self.path)}")
        return facts


class TileSplit:
    """The tiles of one split.

    Images and targets are read-only views of mapped files. Whoever keeps one keeps its file open:
    copy what is to stay.
    """

    def __init__(self, store: TileStore, name: str, rows: list[int]) -> None:
        self.store = store
        self.name = name
        self.path = store.path / name
        self._starts = np.cumsum([0, *rows])
        self._remedy = remedy(store.path)
        self._images = self._shards("images", rows, store.dtype, store.shape)
        layout = get_kind(store.kind).target_layout(
            len(store.classes), store.shape[2:], store.ignore_index
        )
        self._targets = None if layout is None else self._shards("targets", rows, *layout)
        if layout is None:
            require(self.path / "targets.parquet", self._remedy)
        require(self.path / "tiles.parquet", self._remedy)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def image(self, index: int) -> np.ndarray:
        """Image ``index`` as (T, C, H, W) in the native dtype."""
        shard, row = self._locate(index)
        return self._images[shard].array()[row]

    def target(self, index: int) -> np.ndarray:
        """Target ``index`` as the kind lays it out; (n, 5) float32 where it is a table of boxes."""
        if self._targets is None:
            return self._boxes[index]
        shard, row = self._locate(index)
        return self._targets[shard].array()[row]

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
        from pyarrow import parquet

        table = parquet.read_table(self.path / "tiles.parquet", columns=["height", "width"])
        return np.stack([table["height"].to_numpy(), table["width"].to_numpy()], axis=1)

    @cached_property
    def _boxes(self) -> list[np.ndarray]:
        from eosfm.tiles.tables import read_boxes

        return read_boxes(self.path / "targets.parquet", len(self))

    def _locate(self, index: int) -> tuple[int, int]:
        if not 0 <= index < self._starts[-1]:
            raise IndexError(f"tile {index} of {len(self)}")
        if len(self._images) == 1:
            return 0, index
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return shard, index - int(self._starts[shard])

    def _shards(
        self, name: str, rows: list[int], dtype: np.dtype, shape: tuple[int, ...]
    ) -> list[Shard]:
        shards = [
            Shard(self.path / f"{name}-{number:05d}.npy", dtype, (count, *shape), self._remedy)
            for number, count in enumerate(rows)
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
