"""CV4A Kenya Crop Type: crops of small fields in a season of Sentinel-2 images at 10 m.

Four tiles of 3035 x 2016 pixels make up a rectangle in western Kenya.

Crops are known inside the surveyed fields alone: what lies between them may well be maize. It is
class 0 and never scored, and so are the fields whose crop the competition kept to itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.seeds import derive_seed
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.native.archives import hidden
from eosfm.datasets.native.listing import folders, require
from eosfm.datasets.native.scenes import Label, Part, crop, raster_scene
from eosfm.datasets.native.series import parse_dates
from eosfm.datasets.native.spec import Dataset, Scene, Source, Window
from eosfm.datasets.native.values import numbers

NAME = "kenya_croptype"
TILES = ("0", "1", "2", "3")
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
CLASSES = (
    "background", "maize", "cassava", "common bean", "maize and common bean", "maize and cassava",
    "maize and soybean", "cassava and common bean",
)  # fmt: skip

ROWS, COLS = 6, 4
"""Blocks that a tile is cut to; in the original they measure about 5 km."""
VALIDATE, TEST = 4, 4
"""Blocks of every tile that validate and test; the others train."""
REFLECTANCE = numbers(0, 65535, "reflectance times 10,000", np.uint16)
CROPS = numbers(0, len(CLASSES) - 1, f"classes 0 to {len(CLASSES) - 1}")


class Block(NamedTuple):
    """A rectangle of a tile: its place among the tile's blocks, its split, its pixels."""

    row: int
    col: int
    split: Split
    window: Window


def blocks(tile: str, height: int, width: int) -> tuple[Block, ...]:
    """Cut a tile to its blocks; which of them are held out is drawn by the tile's name."""
    order = np.random.default_rng(derive_seed(NAME, tile)).permutation(ROWS * COLS)
    rows = [height * row // ROWS for row in range(ROWS + 1)]
    cols = [width * col // COLS for col in range(COLS + 1)]
    result = []
    for row, col in np.ndindex(ROWS, COLS):
        rank = int(order[row * COLS + col])
        split: Split = "val" if rank < VALIDATE else "test" if rank < VALIDATE + TEST else "train"
        size = (rows[row + 1] - rows[row], cols[col + 1] - cols[col])
        result.append(Block(row, col, split, Window(rows[row], cols[col], *size)))
    return tuple(result)


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the blocks in which at least one pixel has a crop, all dates of each.

    A field that reaches into a block of another split, or of another tile's, is scored nowhere.
    """
    tiles = [tile for tile in TILES if (root / "data" / tile).is_dir()]
    if not tiles:
        require(root / "data" / TILES[0], "the folders data/0 to data/3")
    labels = {tile: _labels(root / "data" / tile, tile) for tile in tiles}
    dates = _dates(root, tiles)
    split_fields = _fields_in_several_splits(labels)
    for tile, (crops, fields) in labels.items():
        crops[np.isin(fields, split_fields)] = 0
        scene = _tile_scene(root / "data" / tile, crops, dates)
        for block in blocks(tile, *crops.shape):
            if block.window.cut(crops).any():
                id = f"tile{tile}_row{block.row}_col{block.col}"
                yield crop(scene, id, block.split, block.window)


def _labels(folder: Path, tile: str) -> tuple[np.ndarray, np.ndarray]:
    """Crops (H, W) uint8, 0 where there is none, and numbers of the fields (H, W)."""
    label, field_id = (
        require(folder / f"{tile}_{name}.tif", f"the {name} of tile {tile}")
        for name in ("label", "field_id")
    )
    crops = Part(label, prepare=CROPS).read_all()
    return crops, Part(field_id).read(crops.shape, Window(0, 0, *crops.shape))[0]


def _dates(root: Path, tiles: list[str]) -> tuple[str, ...]:
    found = {tile: tuple(path.name for path in folders(root / "data" / tile)) for tile in tiles}
    dates = found[tiles[0]]
    for tile, others in found.items():
        if others != dates or not dates:
            raise EosfmError(
                f"{root / 'data' / tile} has {len(others)} date folders and tile {tiles[0]} "
                f"{len(dates)}; expected the same dates such as 20190606; fetch the tile again"
            )
    return dates


def _fields_in_several_splits(labels: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Numbers of the fields that blocks of more than one split hold a part of."""
    seen = []
    for tile, (_, fields) in labels.items():
        for block in blocks(tile, *fields.shape):
            numbers = np.unique(block.window.cut(fields)).astype(np.int64)
            seen.append(numbers * len(SPLITS) + SPLITS.index(block.split))
    numbers, parts = np.unique(np.unique(np.concatenate(seen)) // len(SPLITS), return_counts=True)
    return numbers[parts > 1]


def _tile_scene(folder: Path, crops: np.ndarray, dates: tuple[str, ...]) -> Scene:
    tile = folder.name
    label = Label(folder / f"{tile}_label.tif", lambda path, size, window: window.cut(crops))
    image = [
        Part(folder / date / f"{tile}_{band}_{date}.tif", prepare=REFLECTANCE)
        for date in dates
        for band in BANDS
    ]
    days = [str(day) for day in parse_dates(dates, folder)]
    scene = raster_scene(tile, "train", image, label, dates=days)
    return replace(scene, files=(*scene.files, folder / f"{tile}_field_id.tif"))


def download(root: Path) -> None:
    """Copy the tiles with Microsoft's AzCopy."""
    from torchgeo.datasets import CV4AKenyaCropType

    # Torchgeo takes the table for proof that all is there; AzCopy goes on where it stopped.
    with hidden(root / "FieldIds.csv"):
        CV4AKenyaCropType(root, download=True)


DATASET = Dataset(
    name=NAME,
    title="CV4A Kenya Crop Type",
    kind="segmentation",
    bands=BANDS,
    units=("reflectance_1e4",) * len(BANDS),
    dtype="uint16",
    classes=CLASSES,
    gsd=10.0,
    ignore_index=0,
    split_rule="by field and place: each tile is cut to 6 x 4 blocks of about 5 km, of which 4 "
    "validate and 4 test, drawn by the tile's name; a field that reaches into blocks of two "
    "splits is left out; the competition's own test fields have no public crops",
    source=Source(
        homepage="https://source.coop/radiantearth/african-crops-kenya-02",
        licence="CC BY-SA 4.0",
        commercial=True,
        citation="Radiant Earth Foundation: CV4A competition Kenya crop type dataset (version 1), "
        "2020, doi 10.34911/rdnt.dw605x",
        size_gb=3.5,
        download=download,
    ),
    reader=scenes,
)
"""Bottom-of-atmosphere reflectance of June to November 2019; twelve bands, thirteen dates."""
