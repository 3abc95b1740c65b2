"""A simulated DeepGlobe Land Cover Classification in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS
from eosfm.datasets.deepglobe_lcc import COLORS, DATASET, FOLDERS, NAME, UNKNOWN, split_of
from eosfm.datasets.readers.png import write_png
from eosfm.simulation import (
    CROPS,
    FOREST,
    ROOFS,
    WATER,
    Landscape,
    cover_mask,
    draw_landscape,
    legend,
    observe,
)
from eosfm.simulation.recipe import Simulation

THEMES = ("cropland", "river", "village", "shrub", "forest", "orchard", "lake", "desert")

LEGEND = {
    **dict.fromkeys((*ROOFS, "asphalt", "road", "rail", "concrete", "car"), 0),
    **dict.fromkeys((*CROPS, "bare_field", "orchard", "vineyard", "olive", "greenhouse"), 1),
    **dict.fromkeys(("grassland", "pasture", "shrub", "heath"), 2),
    **dict.fromkeys(FOREST, 3),
    **dict.fromkeys((*WATER, "wetland", "flood"), 4),
    **dict.fromkeys(("sand", "rock", "bare_soil", "burned"), 5),
}
"""Cover of the simulated Earth to class; what is left (snow, ice) is unknown."""

BUILT_UP_M = 60.0
"""Land this close around buildings counts as urban, its gardens included."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images whose numbers give each split as many as wanted."""
    numbers = count(1)
    for split in SPLITS:
        fitting = (
            number for number in numbers if split == "test" or split_of(str(number)) == split
        )
        folder = root / "data" / FOLDERS["test" if split == "test" else "train"]
        # Also where a split gets no scene, both folders are there.
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for index in range(simulation.scenes[split]):
            _write_scene(folder, next(fitting), (simulation.seed, NAME, split, index), simulation)


def _write_scene(
    folder: Path, number: int, key: tuple[int | str, ...], simulation: Simulation
) -> None:
    from PIL import Image

    theme = THEMES[int(key[-1]) % len(THEMES)]
    land = draw_landscape(key, (simulation.size, simulation.size), simulation.gsd, theme)
    image = observe(land, key, DATASET.bands, units="dn8").image
    path = folder / "images" / f"{number}_sat.jpg"
    Image.fromarray(np.moveaxis(image, 0, -1)).save(path, quality=95)
    colors = np.moveaxis(np.array(COLORS, np.uint8)[classify(land)], -1, 0)
    write_png(folder / "masks" / f"{number}_mask.png", colors)


def classify(land: Landscape) -> np.ndarray:
    """Class indices (H, W) of a landscape: settlements are drawn as whole areas."""
    from scipy.ndimage import uniform_filter

    classes = legend(land.cover, LEGEND, default=UNKNOWN)
    built = cover_mask(land.cover, *ROOFS).astype(np.float32)
    dense = uniform_filter(built, max(3, round(BUILT_UP_M / land.gsd))) > 0.06
    classes[dense & np.isin(classes, (1, 2))] = 0
    return classes
