"""A simulated FireRisk in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS
from eosfm.datasets.firerisk import CLASSES, CODES, DATASET, FOLDER, NAME, split_of
from eosfm.datasets.readers.png import write_png
from eosfm.simulation import draw_landscape, evolve, observe
from eosfm.simulation.recipe import Simulation

THEMES = {
    "Very_Low": ("wetland", "broadleaf"),
    "Low": ("pasture", "cropland"),
    "Moderate": ("grassland",),
    "High": ("shrub",),
    "Very_High": ("conifer",),
    "Non-burnable": ("city", "desert", "industrial"),
    "Water": ("sea",),
}
"""What simulated images show: the drier and denser what grows there, the higher the hazard."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images; the classes take turns, each image in a square degree of its own."""
    for folder in ("train", "val"):
        for label in CLASSES:
            (root / FOLDER / folder / label).mkdir(parents=True, exist_ok=True)
    cells = count()
    for split in SPLITS:
        places = (_square(cell) for cell in cells)
        fitting = (place for place in places if split == "val" or split_of(*place) == split)
        for index in range(simulation.scenes[split]):
            label = CLASSES[index % len(CLASSES)]
            longitude, latitude = next(fitting)
            place = root / FOLDER / ("val" if split == "val" else "train") / label
            name = f"{27_000_000 + index}_{CODES[label]}_{longitude}_{latitude}.png"
            write_png(place / name, _draw((simulation.seed, NAME, split, index), simulation))


def _square(cell: int) -> tuple[float, float]:
    """Longitude and latitude of the middle of a square degree of the contiguous United States."""
    row, col = divmod(cell, 58)
    return -124.5 + col, 25.5 + row % 24


def _draw(key: tuple[int | str, ...], simulation: Simulation) -> np.ndarray:
    turn, place = divmod(int(key[-1]), len(CLASSES))
    themes = THEMES[CLASSES[place]]
    size = (simulation.size, simulation.size)
    # NAIP is flown in the growing season.
    doy = 140 + 23 * turn % 100
    land = draw_landscape(key, size, simulation.gsd, themes[turn % len(themes)], doy)
    if CLASSES[place] in ("Moderate", "High"):
        land = evolve(land, key, "season")
    return observe(land, key, DATASET.bands, units="dn8").image
