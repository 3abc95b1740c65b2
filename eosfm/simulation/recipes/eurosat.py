"""A simulated EuroSAT in its native layout."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.eurosat import BANDS, CLASSES, FOLDER, LIST, NAME
from eosfm.simulation import (
    CROPS,
    FOREST,
    ROOFS,
    WATER,
    Key,
    Landscape,
    Simulation,
    observe,
    resampled,
)
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.recipe import write_lines

# Content of each class: landscape themes, taken in turn by simulated images, and covers with their
# least share. In the real archive, most residential images are suburbs, and nine in ten of water
# show no shore.
CONTENT: dict[str, tuple[tuple[str, ...], tuple[str, ...], float]] = {
    "AnnualCrop": (("cropland",), (*CROPS, "bare_field"), 0.6),
    "Forest": (("conifer", "broadleaf", "forest"), FOREST, 0.8),
    "HerbaceousVegetation": (("grassland", "shrub"), ("grassland", "shrub", "heath"), 0.8),
    "Highway": (("highway",), ("asphalt", "road"), 0.02),
    "Industrial": (("industrial",), ROOFS, 0.1),
    "Pasture": (("pasture",), ("pasture",), 0.6),
    "PermanentCrop": (("orchard",), ("orchard", "vineyard", "olive"), 0.6),
    "Residential": (("residential", "residential", "city"), ROOFS, 0.1),
    "River": (("river",), ("river",), 0.1),
    "SeaLake": (("sea", "sea", "sea", "lake"), WATER, 0.35),
}
TRIES = 10
FINER = ("Residential",)
"""Drawn at twice the resolution: 10 m hold a house, its garden and its street."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy: the classes take turns, numbered from 1 as in the archive."""
    names: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for count, (split, index, key) in enumerate(simulation.plan(NAME), start=1):
        label = CLASSES[index % len(CLASSES)]
        path = root / FOLDER / label / f"{label}_{count}.tif"
        # Side by side with a gap, so that no two images show the same ground.
        east = 300_000 + 2 * count * simulation.size * simulation.gsd
        image = draw(simulation, key)
        write_geotiff(path, image, simulation.gsd, (east, 5_400_000))
        names[split].append(f"{path.stem}.jpg")
    for split in SPLITS:
        write_lines(root / LIST.format(split), names[split])


def draw(simulation: Simulation, key: Key) -> np.ndarray:
    """The image of a key of :meth:`Simulation.plan`: (13, size, size) uint16."""
    land = draw_land(simulation, key)
    return resampled(observe(land, key, BANDS, camera=simulation.gsd).image, BANDS)


def draw_land(simulation: Simulation, key: Key) -> Landscape:
    """A landscape with enough of its class's covers, or the last of :data:`TRIES` tries."""
    turn, place = divmod(int(key[-1]), len(CLASSES))
    label = CLASSES[place]
    themes, covers, share = CONTENT[label]
    theme = themes[turn % len(themes)]
    finer = (
        simulation
        if label not in FINER
        else replace(simulation, size=2 * simulation.size, gsd=simulation.gsd / 2)
    )
    for attempt in range(TRIES):
        # Acquisitions of the whole growing season; 61 and 180 have no common divisor.
        land = finer.draw((*key, attempt), theme, doy=100 + 61 * int(key[-1]) % 180)
        if land.shows(*covers).mean() >= share:
            break
    return land
