"""The simulated Earth: landscapes, what happens to them, and what sensors see of them.

Example::

    land = draw_landscape((seed, "eurosat", 17), (64, 64), gsd=10, theme="river")
    image = observe(land, (seed, "eurosat", 17), S2_BANDS).image
"""

from eosfm.simulation.covers import (
    BUILDINGS,
    COVERS,
    CROPS,
    FOREST,
    ROOFS,
    VEGETATION,
    WATER,
    cover_mask,
    legend,
)
from eosfm.simulation.events import EVENTS, evolve
from eosfm.simulation.grid import average, resampled
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key
from eosfm.simulation.optical import Observation, observe
from eosfm.simulation.radar import backscatter
from eosfm.simulation.recipe import Simulation, rectangle, write_geojson, write_lines, write_text
from eosfm.simulation.themes import THEMES, draw_landscape

__all__ = [
    "BUILDINGS", "COVERS", "CROPS", "EVENTS", "FOREST", "ROOFS", "THEMES", "VEGETATION", "WATER",
    "Key", "Landscape", "Observation", "Simulation", "average", "backscatter", "cover_mask",
    "draw_landscape", "evolve", "legend", "observe", "rectangle", "resampled", "write_geojson",
    "write_lines", "write_text",
]  # fmt: skip
