"""A simulated CropTypeMapping South Sudan (SustainBench) in its native layout."""

import json
from datetime import date
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import SPLITS
from eosfm.datasets.crop_type_south_sudan import COUNTRY, NAME, PARTITION, S2
from eosfm.simulation import Key, Landscape, Simulation, draw_landscape, write_lines, write_text
from eosfm.simulation.season import Crop, calendar, see, sound, sow

SIMULATED_CROPS = (
    Crop("maize", 45, 0.42), Crop("maize", -15, 0.18), Crop("rice", 20, 0.15),
    Crop("vegetable", 25, 0.15), Crop("rapeseed", 60, 0.1),
)  # fmt: skip
"""Look of the four crops, and of a fifth too rare to count, of which the original has several."""

RAINS = 40  # days by which the wild vegetation greens later than in the northern mid-latitudes
SURVEYED = 0.6
START, DAYS = date(2017, 2, 15), 320  # first day, and number of days, of the simulated year
COUNTS = {"s2": 7, "s1": 6}  # acquisitions of either sensor
REGION = "sahel"  # low sun and dust, which no specialist sees
CLOUDY = 0.6  # share of the simulated acquisitions that have clouds

QUARTERS = 4
"""Chips cut from one simulated landscape, so that fields reach over their edges."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write chips cut from larger landscapes; the Planet stacks, which are not read, are left out.

    The four chips of a landscape are in one split.
    """
    folder = root / COUNTRY
    for name in ("npy", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = ["id,partition"]
    for split, index, _ in simulation.plan(NAME):
        world, quarter = divmod(index, QUARTERS)
        if quarter == 0:
            series = _draw((simulation.seed, NAME, split, world), simulation)
        _write_chip(folder, f"{len(lines) - 1:06d}", series, quarter, simulation.size)
        lines.append(f"{len(lines) - 1},{SPLITS.index(split)}")
    write_lines(folder / PARTITION, lines)


class World(NamedTuple):
    """A landscape's year: stacks (C, H, W, T) and dates by sensor, and its crops (H, W)."""

    stacks: dict[str, np.ndarray]
    dates: dict[str, list[date]]
    truth: np.ndarray


def _draw(key: Key, simulation: Simulation) -> World:
    rng = np.random.default_rng(derive_seed(*key, "survey"))
    shape = (2 * simulation.size, 2 * simulation.size)
    season = sow(_land(key, shape, simulation.gsd), key, SIMULATED_CROPS, RAINS)
    surveyed = rng.random(int(season.land.parcel.max()) + 1) < SURVEYED
    dates = {name: calendar(rng, START, DAYS, number) for name, number in COUNTS.items()}
    optical = np.stack(see(season, key, dates["s2"], S2, CLOUDY, REGION, "toa"), axis=-1)
    radar = np.stack(sound(season, key, dates["s1"]), axis=-1)
    return World(
        stacks={"s2": np.maximum(optical, 1), "s1": np.concatenate([radar, radar[1:] / radar[:1]])},
        dates=dates,
        truth=np.where(surveyed[season.land.parcel], season.crop + 1, 0).astype(np.uint8),
    )


def _land(key: Key, shape: tuple[int, int], gsd: float) -> Landscape:
    """The first of a key's landscapes that has no greenhouses: there are none in South Sudan."""
    lands = (draw_landscape((*key, n), shape, gsd, "smallholder", doy=170) for n in count())
    return next(land for land in lands if not land.shows("greenhouse").any())


def _write_chip(folder: Path, chip: str, world: World, quarter: int, size: int) -> None:
    row, col = divmod(quarter, 2)
    rows, cols = slice(row * size, (row + 1) * size), slice(col * size, (col + 1) * size)
    stacks = {name: stack[:, rows, cols] for name, stack in world.stacks.items()}
    np.savez(folder / "npy" / f"{COUNTRY}_{chip}.npz", s1=stacks["s1"], s2=stacks["s2"])
    np.savez(folder / "truth" / f"{COUNTRY}_{chip}.npz", truth=world.truth[rows, cols])
    for sensor, days in world.dates.items():
        text = json.dumps({"dates": [str(day) for day in days]})
        write_text(folder / sensor / f"{sensor}_{COUNTRY}_{chip}.json", text)
