"""The tile store: a dataset cut to uniform tiles in one format, the only thing training reads.

Reading and writing a store needs numpy alone; torch and lightning are imported with
:class:`TileDataset` and :class:`TileDataModule`, on first use.
"""

from typing import TYPE_CHECKING, Any

from eosfm.tiles.cutting import Summary, cut_dataset
from eosfm.tiles.store import TileSplit, TileStore
from eosfm.tiles.writer import Tile, TileWriter

if TYPE_CHECKING:
    from eosfm.tiles.datamodule import TileDataModule
    from eosfm.tiles.dataset import TileDataset

__all__ = [
    "Summary",
    "Tile",
    "TileDataModule",
    "TileDataset",
    "TileSplit",
    "TileStore",
    "TileWriter",
    "cut_dataset",
]


def __getattr__(name: str) -> Any:
    if name == "TileDataset":
        from eosfm.tiles.dataset import TileDataset

        return TileDataset
    if name == "TileDataModule":
        from eosfm.tiles.datamodule import TileDataModule

        return TileDataModule
    raise AttributeError(f"module 'eosfm.tiles' has no attribute {name!r}")
