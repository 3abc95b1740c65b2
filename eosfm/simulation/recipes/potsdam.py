"""A simulated ISPRS Potsdam 2D Semantic Labeling in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.datasets.potsdam import CLASSES, COLORS, DATASET, IMAGES, NAME, TILES
from eosfm.simulation import Simulation, legend, observe
from eosfm.simulation.images import write_geotiff

THEMES = ("residential", "city", "industrial", "city", "residential", "village")

COVERS = {
    "impervious surfaces": ("asphalt", "road", "rail", "concrete"),
    "building": ("roof_red", "roof_grey", "roof_bright", "greenhouse"),
    "low vegetation": (
        "cereal", "maize", "rapeseed", "vegetable", "grassland", "pasture", "vineyard", "shrub",
        "heath", "wetland",
    ),
    "tree": ("orchard", "olive", "conifer", "broadleaf", "mixed_forest"),
    "car": ("car",),
}  # fmt: skip
"""Simulated covers of each class; all others are clutter."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated quarters of a town under the names of the contest's tiles."""
    names = {cover: CLASSES.index(name) for name, covers in COVERS.items() for cover in covers}
    for tile, index, key in simulation.name(NAME, "tiles", TILES):
        land = simulation.draw(key, THEMES[index % len(THEMES)])
        image = observe(land, (*key, "camera"), DATASET.bands, units="dn8").image
        classes = legend(land.cover, names, default=CLASSES.index("clutter"))
        colors = np.array(list(COLORS), np.uint8)[classes].transpose(2, 0, 1)
        # The contest numbers its tiles by row and column.
        row, col = (int(part) for part in tile.split("_"))
        origin = (366_000 + col * simulation.side, 5_809_000 - row * simulation.side)
        for path, pixels in (
            (root / IMAGES / f"top_potsdam_{tile}_RGBIR.tif", image),
            (root / f"top_potsdam_{tile}_label.tif", colors),
        ):
            write_geotiff(path, pixels, simulation.gsd, origin)
