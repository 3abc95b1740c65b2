"""A simulated CV4A Kenya Crop Type in its native layout."""

from datetime import datetime
from itertools import zip_longest
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.seeds import derive_seed
from eosfm.core.splits import SPLITS
from eosfm.datasets.kenya_croptype import (
    BANDS,
    CLASSES,
    COLS,
    NAME,
    ROWS,
    TEST,
    TILES,
    VALIDATE,
    blocks,
)
from eosfm.simulation import Landscape, draw_landscape, observe
from eosfm.simulation.covers import CODE, CROPS, cover_mask, phenology
from eosfm.simulation.noise import Key
from eosfm.simulation.recipe import Simulation

CLOUD = "CLD"

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
            if left[block.split] == 0:
                block.window.cut(crops)[:] = 0
            left[block.split] = max(left[block.split] - 1, 0)
        _write_tile(root / "data" / tile, key, lands, crops, fields)
        known = np.unique(fields[crops > 0])
        told += known.tolist()
        withheld += np.setdiff1d(fields, [0, *known]).tolist()
    rows = zip_longest(told, withheld, fillvalue="")
    lines = ["train,test", *(f"{train},{test}" for train, test in rows)]
    (root / "FieldIds.csv").write_text("\n".join(lines) + "\n")


def _sow(
    key: Key, shape: tuple[int, int], gsd: float, others: int
) -> tuple[list[Landscape], np.ndarray, np.ndarray]:
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
    return lands, told[index].astype(np.uint8), fields


def _day(date: str) -> int:
    """Day of the year of a date such as 20190606."""
    return datetime.strptime(date, "%Y%m%d").timetuple().tm_yday


def _write_tile(
    folder: Path, key: Key, lands: list[Landscape], crops: np.ndarray, fields: np.ndarray
) -> None:
    tile = folder.name
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
