"""Ponds that people dig: rows of rectangular basins between dykes."""

import numpy as np

from eosfm.simulation.canvas import Canvas
from eosfm.simulation.covers import ROOFS, WATER
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key, bricks, generator, rotate

BASIN = (75.0, 48.0)  # mean sides of a basin in metres
DYKE = 6.0  # width of a dyke in metres


def dig_ponds(land: Landscape, key: Key, share: float = 0.6) -> tuple[Landscape, np.ndarray]:
    """Turn part of the open land into fish ponds.

    Args:
        land: The landscape; it is left as it is.
        key: Of the random draw.
        share: Of the land that becomes ponds and dykes, 0 to 1.

    Returns:
        The landscape with the ponds, and (H, W) bool of their water.
    """
    canvas = Canvas(generator(key, "ponds"), land.size, land.gsd)
    basins = bricks(canvas.rng, *rotate(canvas.x, canvas.y, land.angle), BASIN, 0.25)
    where = canvas.noise(0.5 * canvas.extent, 2)
    kept = land.shows(*ROOFS, *WATER, "road", "asphalt", "concrete")
    site = (where >= np.quantile(where, 1 - share)) & ~kept
    water = site & (basins.edge() > max(DYKE / 2, 0.5 * land.gsd))
    depth = 0.75 + 0.5 * canvas.per_cell(basins)
    land = land.covered(site, "grassland", vigour=land.vigour)
    return land.covered(water, "lake", tone=depth, moisture=1), water
