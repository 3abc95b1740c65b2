"""A simulated Open-Canopy in its native layout."""

from pathlib import Path
from typing import Any

import numpy as np

from eosfm.datasets import opencanopy as native
from eosfm.datasets.opencanopy import FOLDER, LAYERS
from eosfm.simulation import Key, Landscape, Simulation, draw_landscape, observe
from eosfm.simulation.covers import BUILDINGS, WATER, legend
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.recipe import rectangle, write_geojson

THEMES = ("forest", "mixed", "mountain", "broadleaf", "village", "conifer", "pasture")
MARGIN = 16  # pixels of a simulated image around the cell that the grid cuts out of it


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated woods, one image per cell, and one buffer cell outside all splits."""
    cells = [
        _write_cell(root / FOLDER, number, key, simulation)
        for number, (_, _, key) in enumerate(simulation.plan(native.NAME))
    ]
    cells.append(cells[-1] | {"properties": cells[-1]["properties"] | {"split": "buffer"}})
    write_geojson(root / FOLDER / native.CELLS, cells)


def _write_cell(folder: Path, number: int, key: Key, simulation: Simulation) -> dict[str, Any]:
    """Write the three rasters around one cell; return the cell as a GeoJSON feature."""
    size, step = simulation.size + 2 * MARGIN, simulation.gsd
    _, _, split, index = key
    land = draw_landscape(key, (size, size), step, THEMES[int(index) % len(THEMES)])
    name = f"compressed_{{}}_20220611{number:06d}.tif"
    west, north = 600_000 + number * size * step, 6_700_000
    layers = (
        observe(land, (*key, "spot"), native.DATASET.bands, units="dn8").image,
        np.round(land.canopy_height[None] * 10).astype(np.uint16),
        _classify(land)[None],
    )
    for (layer, word, _, _), pixels in zip(LAYERS, layers, strict=True):
        path = folder / "2022" / layer / name.format(word)
        write_geotiff(path, pixels, step, (west, north), crs=native.CRS)
    left, top = west + MARGIN * step, north - MARGIN * step
    return {
        "properties": {"lidar_year": 2022, "image_name": name.format(LAYERS[0][1]), "split": split},
        "geometry": rectangle(left, top - simulation.side, left + simulation.side, top),
    }


def _classify(land: Landscape) -> np.ndarray:
    """Lidar HD classes (H, W) of a simulated landscape."""
    names = dict.fromkeys(BUILDINGS, native.BUILDING) | dict.fromkeys(WATER, native.WATER)
    named = legend(land.cover, names | {"car": native.UNCLASSIFIED}, default=0)
    by_height = np.digitize(land.canopy_height, (0.1, 0.5, 1.5)) + native.GROUND
    return np.where(named > 0, named, by_height).astype(np.uint8)
