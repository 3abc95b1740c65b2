"""A simulated Open-Canopy in its native layout."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.datasets.opencanopy import (
    BUILDING,
    CELLS,
    CRS,
    DATASET,
    FOLDER,
    GROUND,
    LAYERS,
    NAME,
    UNCLASSIFIED,
    WATER,
)
from eosfm.simulation import ROOFS, Landscape, draw_landscape, legend, observe
from eosfm.simulation import WATER as PERMANENT
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.noise import Key
from eosfm.simulation.recipe import Simulation

THEMES = ("forest", "mixed", "mountain", "broadleaf", "village", "conifer", "pasture")

MARGIN = 16
"""Pixels of a simulated image around the cell that the grid cuts out of it."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated woods, one image per cell, and one buffer cell that nobody may use."""
    cells = [
        _write_cell(root / FOLDER, number, key, simulation)
        for number, (_, _, key) in enumerate(simulation.plan(NAME))
    ]
    cells.append(cells[-1] | {"properties": cells[-1]["properties"] | {"split": "buffer"}})
    collection = {"type": "FeatureCollection", "features": cells}
    (root / FOLDER / CELLS).write_text(json.dumps(collection))


def _write_cell(folder: Path, number: int, key: Key, simulation: Simulation) -> dict[str, Any]:
    """Write the three rasters around one cell; return the cell as a GeoJSON feature."""
    size, step = simulation.size + 2 * MARGIN, simulation.gsd
    _, _, split, index = key
    land = draw_landscape(key, (size, size), step, THEMES[int(index) % len(THEMES)])
    name = f"compressed_{{}}_20220611{number:06d}.tif"
    west, north = 600_000 + number * size * step, 6_700_000
    layers = (
        observe(land, (*key, "spot"), DATASET.bands, units="dn8").image,
        np.round(land.canopy_height[None] * 10).astype(np.uint16),
        _classify(land)[None],
    )
    for (layer, word, _, _), pixels in zip(LAYERS, layers, strict=True):
        path = folder / "2022" / layer / name.format(word)
        write_geotiff(path, pixels, step, (west, north), crs=CRS)
    left, top = west + MARGIN * step, north - MARGIN * step
    right, bottom = left + simulation.side, top - simulation.side
    ring = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
    return {
        "type": "Feature",
        "properties": {"lidar_year": 2022, "image_name": name.format(LAYERS[0][1]), "split": split},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def _classify(land: Landscape) -> np.ndarray:
    """Lidar HD classes (H, W) of a simulated landscape."""
    names = dict.fromkeys((*ROOFS, "greenhouse"), BUILDING) | dict.fromkeys(PERMANENT, WATER)
    named = legend(land.cover, names | {"car": UNCLASSIFIED}, default=0)
    by_height = np.digitize(land.canopy_height, (0.1, 0.5, 1.5)) + GROUND
    return np.where(named > 0, named, by_height).astype(np.uint8)
