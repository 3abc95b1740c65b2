"""CV4A Kenya Crop Type: crops of small fields in a season of Sentinel-2 images at 10 m.

Radiant Earth Foundation 2020, doi 10.34911/rdnt.dw605x. Four tiles of 3035 x 2016 pixels make up a
rectangle in western Kenya.

Crops are known inside the surveyed fields alone: what lies between them may well be maize. It is
class 0 and never scored, and so are the fields whose crop the competition kept to itself.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.catalog.shared.layout import open_raster, read_raster, require
from eosfm.catalog.spec import SPLITS, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.seeds import derive_seed
from eosfm.simulation import Landscape, draw_landscape, observe
from eosfm.simulation.covers import CODE, CROPS, cover_mask, phenology

NAME = "kenya_croptype"
TILES = ("0", "1", "2", "3")
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
CLOUD = "CLD"
CLASSES = (
    "background", "maize", "cassava", "common bean", "maize and common bean", "maize and cassava",
    "maize and soybean", "cassava and common bean",
)  # fmt: skip

ROWS, COLS = 6, 4
"""Blocks that a tile is cut to; in the original they measure about 5 km."""
VALIDATE, TEST = 4, 4
"""Blocks of every tile that validate and test; the others train."""

SIMULATED_DATES = ("20190606", "20190721", "20190909", "20191103")
"""Four of the season's thirteen dates, to keep a simulated copy small."""
STANDS = {
    1: ("maize", "maize"), 2: ("shrub", "shrub"), 3: ("vegetable", "vegetable"),
    4: ("maize", "vegetable"), 5: ("maize", "shrub"), 6: ("maize", "pasture"),
    7: ("shrub", "vegetable"),
}  # fmt: skip
"""The two covers of a simulated field: the same twice unless crops are mixed."""
SHARES = (0.4, 0.22, 0.1, 0.1, 0.08, 0.04, 0.06)
"""Frequency of the simulated crops; the original's are as uneven."""
SURVEYED = 0.6
WITHHELD = 0.25


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

    Raises:
        EosfmError: No tile is there, a file is missing or damaged, tiles differ in their dates.
    """
    tiles = [tile for tile in TILES if (root / "data" / tile).is_dir()]
    if not tiles:
        require(root / "data" / TILES[0], NAME, "the folders data/0 to data/3")
    labels = {tile: _labels(root / "data" / tile, tile) for tile in tiles}
    dates = _dates(root, tiles)
    split_fields = _fields_in_several_splits(labels)
    for tile, (crops, fields) in labels.items():
        crops[np.isin(fields, split_fields)] = 0
        for block in blocks(tile, *crops.shape):
            row, col, height, width = block.window
            known = crops[row : row + height, col : col + width]
            if known.any():
                yield _scene(root / "data" / tile, tile, block, known, dates)


def _labels(folder: Path, tile: str) -> tuple[np.ndarray, np.ndarray]:
    """Crops (H, W) uint8, 0 where there is none, and numbers of the fields (H, W)."""
    crops, fields = (
        _whole(require(folder / f"{tile}_{name}.tif", NAME, f"the {what} of tile {tile}"))
        for name, what in (("label", "crops"), ("field_id", "field numbers"))
    )
    if crops.shape != fields.shape or crops.max(initial=0) >= len(CLASSES):
        raise EosfmError(
            f"{folder}: {tile}_label.tif of {crops.shape} pixels holds values up to {crops.max()}; "
            f"expected 0 to {len(CLASSES) - 1} and the {fields.shape} pixels of "
            f"{tile}_field_id.tif; fetch both files again"
        )
    return crops.astype(np.uint8), fields


def _whole(path: Path) -> np.ndarray:
    with open_raster(path) as raster:
        window = Window(0, 0, raster.height, raster.width)
    return read_raster(path, window, [1])[0]


def _dates(root: Path, tiles: list[str]) -> tuple[str, ...]:
    found = {
        tile: tuple(sorted(p.name for p in (root / "data" / tile).iterdir() if p.is_dir()))
        for tile in tiles
    }
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
            row, col, height, width = block.window
            numbers = np.unique(fields[row : row + height, col : col + width]).astype(np.int64)
            seen.append(numbers * len(SPLITS) + SPLITS.index(block.split))
    numbers, parts = np.unique(np.unique(np.concatenate(seen)) // len(SPLITS), return_counts=True)
    return numbers[parts > 1]


def _scene(
    folder: Path, tile: str, block: Block, crops: np.ndarray, dates: tuple[str, ...]
) -> Scene:
    files = tuple(
        require(folder / date / f"{tile}_{band}_{date}.tif", NAME, f"a band of tile {tile}")
        for date in dates
        for band in BANDS
    )
    return Scene(
        id=f"tile{tile}_row{block.row}_col{block.col}",
        split=block.split,
        height=block.window.height,
        width=block.window.width,
        files=(*files, folder / f"{tile}_label.tif", folder / f"{tile}_field_id.tif"),
        image=partial(_image, files, block.window, len(dates)),
        target=partial(_crops, crops),
        dates=tuple(f"{date[:4]}-{date[4:6]}-{date[6:]}" for date in dates),
    )


def _image(files: tuple[Path, ...], block: Window, dates: int, window: Window) -> np.ndarray:
    place = Window(block.row + window.row, block.col + window.col, window.height, window.width)
    image = np.stack([_band(file, place) for file in files])
    return image.reshape(dates, len(BANDS), window.height, window.width)


def _band(path: Path, window: Window) -> np.ndarray:
    """A window of a band as uint16; the values are whole numbers, whatever type they lie in."""
    pixels = read_raster(path, window, [1])[0]
    with np.errstate(invalid="ignore"):
        whole = pixels.astype(np.uint16)
    if pixels.shape != (window.height, window.width) or (whole != pixels).any():
        raise EosfmError(
            f"{path} does not hold whole numbers from 0 to 65535 in {window}; expected reflectance "
            "times 10,000 of the tile's size; fetch the file again"
        )
    return whole


def _crops(crops: np.ndarray, window: Window) -> np.ndarray:
    rows = slice(window.row, window.row + window.height)
    return crops[rows, window.col : window.col + window.width]


def simulate(root: Path, simulation: Simulation) -> None:
    """Write as many tiles as hold the blocks asked for; in blocks beyond, no crop is told.

    Raises:
        EosfmError: Four tiles do not hold as many blocks.
    """
    left = dict(simulation.scenes)
    per_tile = {"train": ROWS * COLS - VALIDATE - TEST, "val": VALIDATE, "test": TEST}
    if any(left[split] > len(TILES) * per_tile[split] for split in SPLITS):
        raise EosfmError(
            f"{NAME} has {len(TILES)} tiles of {per_tile['train']} train, {VALIDATE} val and "
            f"{TEST} test blocks, not {left}; lower datasets.{NAME}.simulated"
        )
    told: list[int] = []
    withheld: list[int] = []
    for tile in TILES:
        if not any(left.values()):
            break
        shape = (ROWS * simulation.size, COLS * simulation.size)
        key = (simulation.seed, NAME, tile)
        lands, crops, fields = _sow(key, shape, simulation.gsd, len(told) + len(withheld))
        for block in blocks(tile, *shape):
            row, col, height, width = block.window
            if left[block.split] == 0:
                crops[row : row + height, col : col + width] = 0
            left[block.split] = max(left[block.split] - 1, 0)
        _write_tile(root / "data" / tile, tile, key, lands, crops, fields)
        known = np.unique(fields[crops > 0])
        told += known.tolist()
        withheld += np.setdiff1d(fields, [0, *known]).tolist()
    rows = zip_longest(told, withheld, fillvalue="")
    lines = ["train,test", *(f"{train},{test}" for train, test in rows)]
    (root / "FieldIds.csv").write_text("\n".join(lines) + "\n")


def _sow(
    key: tuple[int | str, ...], shape: tuple[int, int], gsd: float, others: int
) -> tuple[tuple[Landscape, ...], np.ndarray, np.ndarray]:
    """The land under either crop of every surveyed field, its crops and field numbers (H, W)."""
    rng = np.random.default_rng(derive_seed(*key, "fields"))
    land = draw_landscape(key, shape, gsd, "smallholder", doy=_day(SIMULATED_DATES[0]))
    sown = cover_mask(land.cover, *CROPS, "bare_field")
    numbers, index = np.unique(np.where(sown, land.parcel, 0), return_inverse=True)
    index = index.reshape(shape)
    surveyed = (rng.random(len(numbers)) < SURVEYED) & (numbers > 0)
    crop = rng.choice(np.arange(1, len(CLASSES)), len(numbers), p=SHARES) * surveyed
    fields = np.where(surveyed, np.cumsum(surveyed) + others, 0)[index].astype(np.int32)
    lands = []
    for stand in zip(*STANDS.values(), strict=True):
        covers = np.array([0, *(CODE[name] for name in stand)], np.uint8)[crop]
        lands.append(land.change(cover=np.where(crop[index] > 0, covers[index], land.cover)))
    told = crop * (rng.random(len(numbers)) >= WITHHELD)
    return tuple(lands), told[index].astype(np.uint8), fields


def _day(date: str) -> int:
    """Day of the year of a date such as 20190606."""
    return datetime.strptime(date, "%Y%m%d").timetuple().tm_yday


def _write_tile(
    folder: Path,
    tile: str,
    key: tuple[int | str, ...],
    lands: tuple[Landscape, ...],
    crops: np.ndarray,
    fields: np.ndarray,
) -> None:
    folder.mkdir(parents=True)
    _write(folder / f"{tile}_label.tif", crops)
    _write(folder / f"{tile}_field_id.tif", fields)
    rng = np.random.default_rng(derive_seed(*key, "growth"))
    parcel = lands[0].parcel
    growth = rng.uniform(0.7, 1.2, int(parcel.max()) + 1).astype(np.float32)[parcel]
    for number, date in enumerate(SIMULATED_DATES):
        cloud = 0.15 * (number % 2)
        seen = [
            observe(_grown(land, growth, date), (*key, date), BANDS, cloud=cloud) for land in lands
        ]
        # Rows are far narrower than a pixel: two crops are seen as the mean of both.
        image = np.mean([one.image for one in seen], axis=0).astype(np.uint16)
        (folder / date).mkdir()
        for band, pixels in zip(BANDS, image, strict=True):
            _write(folder / date / f"{tile}_{band}_{date}.tif", pixels)
        cloudy = seen[0].cloud.astype(np.uint8) * 100
        _write(folder / date / f"{tile}_{CLOUD}_{date}.tif", cloudy)


def _grown(land: Landscape, growth: np.ndarray, date: str) -> Landscape:
    vigour = np.clip(phenology(_day(date))[land.cover] * growth, 0, 1)
    return land.change(doy=_day(date), vigour=vigour.astype(np.float32))


def _write(path: Path, pixels: np.ndarray) -> None:
    """A TIFF without georeference, as the originals are."""
    from PIL import Image

    Image.fromarray(pixels).save(path)


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
        citation="Radiant Earth Foundation: CV4A competition Kenya crop type dataset (version 1), "
        "2020, doi 10.34911/rdnt.dw605x",
        size_gb=3.5,
        manual=(
            "copy the public folder with Microsoft's AzCopy, `azcopy sync "
            "https://radiantearth.blob.core.windows.net/mlhub/kenya-crop-challenge <folder> "
            "--recursive=true`"
        ),
    ),
    scenes=scenes,
    simulate=simulate,
)
"""Bottom-of-atmosphere reflectance of June to November 2019; twelve bands, thirteen dates."""
