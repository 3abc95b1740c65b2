"""A simulated LoveDA in its native layout.

Its masks are outlines drawn by people: a grove or a field is one area with the hedges, single trees
and tracks in it, and a tree in a garden is background (Wang et al. 2021, arXiv 2110.08733, their
appendix). The images are a mosaic balanced over whole cities, darker and greyer than a scene that
is stretched by itself.
"""

from pathlib import Path

import numpy as np

from eosfm.datasets.loveda import AREAS, CLASSES, DATASET, FOLDERS, NAME
from eosfm.simulation import CROPS, Key, Landscape, Simulation, evolve, legend, observe
from eosfm.simulation.images import write_png
from eosfm.simulation.noise import generator

BACKGROUND = CLASSES.index("background")
FARMED = CLASSES.index("agriculture")
AREAS_DRAWN = tuple(CLASSES.index(name) for name in ("barren", "forest", "agriculture"))
AREA_M = 25.0  # across which people see one area
DOUBTFUL = 0.4  # of fields and pastures: fallow, garden or meadow, drawn as the other of the two

LEGEND = {
    "roof_red": 2, "roof_grey": 2, "roof_bright": 2, "greenhouse": 2,
    "asphalt": 3, "road": 3, "car": 3,
    "ocean": 4, "lake": 4, "river": 4, "flood": 4,
    "sand": 5, "rock": 5, "bare_soil": 5, "burned": 5,
    "orchard": 6, "olive": 6, "conifer": 6, "broadleaf": 6, "mixed_forest": 6,
    "cereal": 7, "maize": 7, "rapeseed": 7, "vegetable": 7, "rice": 7, "bare_field": 7,
    "vineyard": 7,
}  # fmt: skip
"""Cover of the simulated Earth to LoveDA class; grass, paved yards and the like are background."""

THEMES = {
    "Rural": ("smallholder", "river", "forest", "village"),
    "Urban": ("city", "residential", "industrial", "highway"),
}


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy of the labelled folders."""
    splits = [split for split in FOLDERS for _ in range(simulation.scenes[split])]
    for number, split in enumerate(splits):
        area = AREAS[number % len(AREAS)]
        theme = THEMES[area][number // len(AREAS) % len(THEMES[area])]
        key = (simulation.seed, NAME, number)
        # The cities were imaged in different months of the growing season.
        land = simulation.draw(key, theme, doy=120 + 40 * (number % 4))
        if area == "Urban":
            # Cleared building land is most of what is barren in fast-growing cities.
            land = evolve(land, key, "demolition", strength=0.4)
        folder = root / FOLDERS[split] / area
        image = mosaicked(observe(land, key, DATASET.bands, units="dn8").image, key)
        write_png(folder / "images_png" / f"{number}.png", image)
        write_png(folder / "masks_png" / f"{number}.png", outline(land, key))


def mosaicked(image: np.ndarray, key: Key) -> np.ndarray:
    """(3, h, w) uint8 as part of a mosaic: dark, grey, each city in a tint of its own."""
    rng = generator(key, "mosaic")
    grey = image.mean(0, keepdims=True)
    pale = image + (grey - image) * rng.uniform(0.2, 0.7)
    tint = rng.uniform(0.5, 0.85) * rng.normal(1, 0.05, (3, 1, 1))
    return np.clip(pale * tint, 0, 255).round().astype(np.uint8)


def outline(land: Landscape, key: Key) -> np.ndarray:
    """The mask (h, w) uint8: areas of open land are generalised, as drawn."""
    from scipy.ndimage import uniform_filter

    classes = legend(land.cover, LEGEND, default=BACKGROUND)
    numbers, index = np.unique(land.parcel, return_inverse=True)
    doubtful = generator(key, "doubt").random(len(numbers)) < DOUBTFUL
    doubtful = (doubtful & (numbers > 0))[index].reshape(land.size)
    for covers, drawn_as in (((*CROPS, "bare_field"), BACKGROUND), (("pasture",), FARMED)):
        classes[doubtful & land.shows(*covers)] = drawn_as
    width = max(3, round(AREA_M / land.gsd))
    open_land = np.isin(classes, (BACKGROUND, *AREAS_DRAWN))
    drawn = classes.copy()
    drawn[open_land] = BACKGROUND
    for area in AREAS_DRAWN:
        dense = uniform_filter((classes == area).astype(np.float32), width) > 0.5
        drawn[dense & open_land] = area
    return drawn
