"""A simulated CV4A Kenya Crop Type in its native layout."""

from datetime import datetime
from itertools import zip_longest
from pathlib import Path

import numpy as np

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import SPLITS
from eosfm.datasets import kenya_croptype as native
from eosfm.datasets.kenya_croptype import BANDS, COLS, NAME, ROWS, TEST, TILES, VALIDATE
from eosfm.simulation import (
    CROPS,
    Key,
    Simulation,
    draw_landscape,
    observe,
    resampled,
    write_lines,
)
from eosfm.simulation.covers import codes
from eosfm.simulation.season import Season

CLOUD = "CLD"

SIMULATED_DATES = ("20190606", "20190721", "20190909", "20191103")
"""Four of the season's thirteen dates, to keep a simulated copy small."""

STANDS = {
    1: ("maize", "maize"), 2: ("shrub", "shrub"), 3: ("vegetable", "vegetable"),
    4: ("maize", "vegetable"), 5: ("maize", "shrub"), 6: ("maize", "pasture"),
    7: ("shrub", "vegetable"),
}  # fmt: skip
"""The two covers of a simulated field by class; they are equal unless crops are mixed."""

SHARES = (0.4, 0.22, 0.1, 0.1, 0.08, 0.04, 0.06)
"""Frequency of the simulated crops, as uneven as in the original."""

SURVEYED = 0.6
WITHHELD = 0.25


def simulate(root: Path, simulation: Simulation) -> None:
    """Write as many tiles as hold the requested blocks; further blocks have no crop labels.

    Raises:
        EosfmError: Four tiles do not hold as many blocks.
    """
    left = dict(simulation.scenes)
    for split, most in zip(SPLITS, (ROWS * COLS - VALIDATE - TEST, VALIDATE, TEST), strict=True):
        simulation.limit(NAME, "blocks", split, len(TILES) * most)
    told: list[int] = []
    withheld: list[int] = []
    for tile in TILES:
        if not any(left.values()):
            break
        shape = (ROWS * simulation.size, COLS * simulation.size)
        key = (simulation.seed, NAME, tile)
        seasons, crops, fields = _sow(key, shape, simulation.gsd, len(told) + len(withheld))
        for block in native.blocks(tile, *shape):
            if left[block.split] == 0:
                block.window.cut(crops)[:] = 0
            left[block.split] = max(left[block.split] - 1, 0)
        _write_tile(root / "data" / tile, key, seasons, crops, fields)
        known = np.unique(fields[crops > 0])
        told += known.tolist()
        withheld += np.setdiff1d(fields, [0, *known]).tolist()
    rows = zip_longest(told, withheld, fillvalue="")
    lines = ["train,test", *(f"{train},{test}" for train, test in rows)]
    write_lines(root / "FieldIds.csv", lines)


def _sow(
    key: Key, shape: tuple[int, int], gsd: float, others: int
) -> tuple[list[Season], np.ndarray, np.ndarray]:
    """The land under the first and second crop of each field; its labels and field ids (H, W)."""
    rng = np.random.default_rng(derive_seed(*key, "fields"))
    land = draw_landscape(key, shape, gsd, "smallholder", doy=_day(SIMULATED_DATES[0]))
    arable = land.shows(*CROPS, "bare_field")
    numbers, index = np.unique(np.where(arable, land.parcel, 0), return_inverse=True)
    index = index.reshape(shape)
    surveyed = (rng.random(len(numbers)) < SURVEYED) & (numbers > 0)
    crop = rng.choice(np.arange(1, len(native.CLASSES)), len(numbers), p=SHARES) * surveyed
    fields = np.where(surveyed, np.cumsum(surveyed) + others, 0)[index].astype(np.int32)
    told = crop * (rng.random(len(numbers)) >= WITHHELD)
    rng = np.random.default_rng(derive_seed(*key, "growth"))
    growth = rng.uniform(0.7, 1.2, int(land.parcel.max()) + 1).astype(np.float32)[land.parcel]
    seasons = []
    for stand in zip(*STANDS.values(), strict=True):
        cover = np.where(crop[index] > 0, codes(stand)[crop[index] - 1], land.cover)
        sown = land.change(cover=cover)
        seasons.append(Season(sown, crop[index] - 1, np.zeros_like(growth), growth))
    return seasons, told[index].astype(np.uint8), fields


def _day(date: str) -> int:
    """Day of the year of a date such as 20190606."""
    return datetime.strptime(date, "%Y%m%d").timetuple().tm_yday


def _write_tile(
    folder: Path, key: Key, seasons: list[Season], crops: np.ndarray, fields: np.ndarray
) -> None:
    tile = folder.name
    folder.mkdir(parents=True)
    _write(folder / f"{tile}_label.tif", crops)
    _write(folder / f"{tile}_field_id.tif", fields)
    for number, date in enumerate(SIMULATED_DATES):
        doy, cloud = _day(date), 0.15 * (number % 2)
        seen = [
            observe(
                each.on(doy), (*key, date), BANDS, cloud=cloud, region="tropics", product="surface"
            )
            for each in seasons
        ]
        # Crop rows are far narrower than a pixel, so mixed crops appear as their mean.
        image = np.rint(np.mean([one.image for one in seen], axis=0)).astype(np.uint16)
        image = resampled(image, BANDS)
        (folder / date).mkdir()
        for band, pixels in zip(BANDS, image, strict=True):
            _write(folder / date / f"{tile}_{band}_{date}.tif", pixels)
        cloudy = seen[0].cloud.astype(np.uint8) * 100
        _write(folder / date / f"{tile}_{CLOUD}_{date}.tif", cloudy)


def _write(path: Path, pixels: np.ndarray) -> None:
    """A TIFF without georeference, as the originals are."""
    from PIL import Image

    Image.fromarray(pixels).save(path)
