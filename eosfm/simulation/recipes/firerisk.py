"""A simulated FireRisk in its native layout."""

from itertools import count
from pathlib import Path

from eosfm.datasets.firerisk import CLASSES, CODES, DATASET, FOLDER, NAME, split_of
from eosfm.simulation import Simulation, evolve, observe
from eosfm.simulation.images import write_png

THEMES = {
    "Very_Low": ("wetland", "broadleaf"),
    "Low": ("pasture", "cropland"),
    "Moderate": ("grassland",),
    "High": ("shrub",),
    "Very_High": ("conifer",),
    "Non-burnable": ("city", "desert", "industrial"),
    "Water": ("sea",),
}
"""Themes of simulated images: the drier and denser the vegetation, the higher the hazard."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images; the classes take turns, each image in a square degree of its own."""
    for folder in ("train", "val"):
        for label in CLASSES:
            (root / FOLDER / folder / label).mkdir(parents=True, exist_ok=True)
    # Middles of the square degrees of the contiguous United States.
    squares = ((-124.5 + cell % 58, 25.5 + cell // 58 % 24) for cell in count())
    for split, index, key in simulation.plan(NAME):
        longitude, latitude = next(s for s in squares if split == "val" or split_of(*s) == split)
        turn, place = divmod(index, len(CLASSES))
        label = CLASSES[place]
        # NAIP is flown in the growing season.
        land = simulation.draw(key, THEMES[label][turn % len(THEMES[label])], 140 + 23 * turn % 100)
        if label in ("Moderate", "High"):
            land = evolve(land, key, "season")
        name = f"{27_000_000 + index}_{CODES[label]}_{longitude}_{latitude}.png"
        path = root / FOLDER / ("val" if split == "val" else "train") / label / name
        write_png(path, observe(land, key, DATASET.bands, units="dn8").image)
