"""A simulated CropTypeMapping South Sudan (SustainBench) in its native layout."""

import json
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import SPLITS
from eosfm.datasets.crop_type_south_sudan import COUNTRY, NAME, PARTITION, S1, S2
from eosfm.simulation import Landscape, backscatter, cover_mask, draw_landscape, observe
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.resampling import resampled
from eosfm.simulation.season import Crop, Season, sow

SIMULATED_CROPS = (
    Crop("maize", 45, 0.42), Crop("maize", -15, 0.18), Crop("rice", 20, 0.15),
    Crop("vegetable", 25, 0.15), Crop("rapeseed", 60, 0.1),
)  # fmt: skip
"""How the four crops look, and a fifth that is too rare to count, as the original has several."""

RAINS = 40
"""Days by which the wild vegetation greens later than in the northern mid-latitudes."""

SURVEYED = 0.6

START = date(2017, 2, 15)

DAYS = 320
"""First day, and number of days, of the simulated year."""

CLOUDY = 0.3
"""Share of the simulated acquisitions that have clouds."""

QUARTERS = 4
"""Chips cut from one simulated landscape, so that fields reach over their edges."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write chips cut from larger landscapes; the Planet stacks, which are not read, are left out.

    The four chips of a landscape are in one split.
    """
    folder = root / COUNTRY
    for name in ("npy", "truth", "s1", "s2"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = ["id,partition"]
    for partition, split in enumerate(SPLITS):
        for index in range(simulation.scenes[split]):
            world, quarter = divmod(index, QUARTERS)
            if quarter == 0:
                series = _draw((simulation.seed, NAME, split, world), simulation)
            _write_chip(folder, f"{len(lines) - 1:06d}", series, quarter, simulation.size)
            lines.append(f"{len(lines) - 1},{partition}")
    (folder / PARTITION).write_text("\n".join(lines) + "\n")


class World(NamedTuple):
    """A landscape's year: stacks (C, H, W, T) and dates by sensor, and its crops (H, W)."""

    stacks: dict[str, np.ndarray]
    dates: dict[str, list[date]]
    truth: np.ndarray


def _draw(key: tuple[int | str, ...], simulation: Simulation) -> World:
    rng = np.random.default_rng(derive_seed(*key, "survey"))
    shape = (2 * simulation.size, 2 * simulation.size)
    season = sow(_land(key, shape, simulation.gsd), key, SIMULATED_CROPS, RAINS)
    surveyed = rng.random(int(season.land.parcel.max()) + 1) < SURVEYED
    dates = {"s2": _calendar(rng, 7), "s1": _calendar(rng, 6)}
    radar = [_radar(season, key, day) for day in dates["s1"]]
    return World(
        stacks={
            "s2": np.stack([_optical(season, key, day) for day in dates["s2"]], axis=-1),
            "s1": np.stack(radar, axis=-1),
        },
        dates=dates,
        truth=np.where(surveyed[season.land.parcel], season.crop + 1, 0).astype(np.uint8),
    )


def _land(key: tuple[int | str, ...], shape: tuple[int, int], gsd: float) -> Landscape:
    """The first of a key's landscapes that has no greenhouses: there are none in South Sudan."""
    lands = (draw_landscape((*key, n), shape, gsd, "smallholder", doy=170) for n in count())
    return next(land for land in lands if not cover_mask(land.cover, "greenhouse").any())


def _calendar(rng: np.random.Generator, number: int) -> list[date]:
    """Days spread over the year, each some days early or late."""
    step = DAYS / number
    return [START + timedelta(round(step * (i + rng.uniform(0, 0.4)))) for i in range(number)]


def _optical(season: Season, key: tuple[int | str, ...], day: date) -> np.ndarray:
    key = (*key, "s2", str(day))
    cloudy = np.random.default_rng(derive_seed(*key, "cloud")).random() < CLOUDY
    land = season.on(day.timetuple().tm_yday)
    image = observe(land, key, S2, cloud=0.25 if cloudy else 0.0).image
    return np.maximum(resampled(image, S2), 1)


def _radar(season: Season, key: tuple[int | str, ...], day: date) -> np.ndarray:
    vv, vh = backscatter(season.on(day.timetuple().tm_yday), (*key, "s1", str(day)), S1)
    return np.stack([vv, vh, vh - vv])


def _write_chip(folder: Path, chip: str, world: World, quarter: int, size: int) -> None:
    row, col = divmod(quarter, 2)
    rows, cols = slice(row * size, (row + 1) * size), slice(col * size, (col + 1) * size)
    stacks = {name: stack[:, rows, cols] for name, stack in world.stacks.items()}
    np.savez(folder / "npy" / f"{COUNTRY}_{chip}.npz", s1=stacks["s1"], s2=stacks["s2"])
    np.savez(folder / "truth" / f"{COUNTRY}_{chip}.npz", truth=world.truth[rows, cols])
    for sensor, days in world.dates.items():
        text = json.dumps({"dates": [str(day) for day in days]})
        (folder / sensor / f"{sensor}_{COUNTRY}_{chip}.json").write_text(text)
