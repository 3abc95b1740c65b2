"""A simulated DeepGlobe Land Cover Classification in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.datasets.deepglobe_lcc import COLORS, DATASET, FOLDERS, NAME, UNKNOWN, split_of
from eosfm.simulation import CROPS, FOREST, ROOFS, WATER, Landscape, Simulation, legend, observe
from eosfm.simulation.images import write_jpeg, write_png

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

BUILT_UP_M = 60.0  # land this close around buildings counts as urban, its gardens included


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images whose numbers give each split as many as wanted."""
    for folder in FOLDERS:
        # Both folders exist even if a split gets no scene.
        (root / "data" / folder / "images").mkdir(parents=True, exist_ok=True)
    numbers = count(1)
    for split, index, key in simulation.plan(NAME):
        folder = FOLDERS[split == "test"]
        number = next(n for n in numbers if split_of(folder, str(n)) == split)
        land = simulation.draw(key, THEMES[index % len(THEMES)])
        image = observe(land, key, DATASET.bands, units="dn8").image
        write_jpeg(root / "data" / folder / "images" / f"{number}_sat.jpg", image)
        colors = np.array(list(COLORS), np.uint8)[classify(land)].transpose(2, 0, 1)
        write_png(root / "data" / folder / "masks" / f"{number}_mask.png", colors)


def classify(land: Landscape) -> np.ndarray:
    """Class indices (H, W) of a landscape: settlements are drawn as whole areas."""
    from scipy.ndimage import uniform_filter

    classes = legend(land.cover, LEGEND, default=UNKNOWN)
    built = land.shows(*ROOFS).astype(np.float32)
    dense = uniform_filter(built, max(3, round(BUILT_UP_M / land.gsd))) > 0.06
    classes[dense & np.isin(classes, (1, 2))] = 0
    return classes
