"""The tile store: a dataset cut to uniform tiles in one format, the only thing training reads.

Names are imported on first use: cutting needs no torch, reading a store no catalogue, and only
:class:`TileDataModule` needs lightning.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eosfm.tiles.cutting import Summary, cut_dataset
    from eosfm.tiles.datamodule import TileDataModule
    from eosfm.tiles.dataset import TileDataset
    from eosfm.tiles.store import TileSplit, TileStore
    from eosfm.tiles.writer import Tile, TileWriter

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

_HOMES = {
    "Summary": "cutting",
    "Tile": "writer",
    "TileDataModule": "datamodule",
    "TileDataset": "dataset",
    "TileSplit": "store",
    "TileStore": "store",
    "TileWriter": "writer",
    "cut_dataset": "cutting",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'eosfm.tiles' has no attribute {name!r}")
    return getattr(import_module(f"eosfm.tiles.{_HOMES[name]}"), name)
