"""A simulated ISPRS Potsdam 2D Semantic Labeling in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.potsdam import CLASSES, COLORS, DATASET, IMAGES, NAME, TILES
from eosfm.datasets.readers.geotiff import write_geotiff
from eosfm.simulation import draw_landscape, legend, observe
from eosfm.simulation.recipe import Simulation

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
"""How the simulation names things; whatever else lies about is clutter."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated quarters of a town under the names of the contest's tiles.

    Raises:
        EosfmError: More scenes are asked for than a split has tiles.
    """
    for split, tiles in TILES.items():
        count = simulation.scenes[split]
        if count > len(tiles):
            raise EosfmError(
                f"{NAME} has {len(tiles)} {split} tiles, not {count}; lower "
                f"datasets.{NAME}.simulated.{split}"
            )
        for index, tile in enumerate(tiles[:count]):
            theme = THEMES[index % len(THEMES)]
            _write_scene(root, tile, theme, (simulation.seed, NAME, split, index), simulation)


def _write_scene(
    root: Path, tile: str, theme: str, key: tuple[int | str, ...], simulation: Simulation
) -> None:
    land = draw_landscape(
        key, size=(simulation.size, simulation.size), gsd=simulation.gsd, theme=theme
    )
    seen = observe(land, (*key, "camera"), DATASET.bands, units="dn8")
    names = {cover: CLASSES.index(name) for name, covers in COVERS.items() for cover in covers}
    classes = legend(land.cover, names, default=CLASSES.index("clutter"))
    colors = np.moveaxis(np.array(COLORS, np.uint8)[classes], -1, 0)
    # The contest numbers its tiles by row and column.
    row, col = (int(part) for part in tile.split("_"))
    side = simulation.size * simulation.gsd
    place = (366_000 + col * side, 5_809_000 - row * side)
    for path, pixels in (
        (root / IMAGES / f"top_potsdam_{tile}_RGBIR.tif", seen.image),
        (root / f"top_potsdam_{tile}_label.tif", colors),
    ):
        write_geotiff(path, pixels, simulation.gsd, place)
