"""A simulated DynamicEarthNet in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.dynamic_earthnet import BANDS, DAYS, LAYERS, LISTED, NAME, SPLIT_FILES
from eosfm.simulation import Key, Landscape, Simulation, legend, observe, write_lines
from eosfm.simulation.covers import CROPS, FOREST, ROOFS, WATER
from eosfm.simulation.images import write_geotiff

LAYER = (
    (*ROOFS, "asphalt", "road", "rail", "concrete", "car"),
    (*CROPS, "bare_field", "pasture", "orchard", "vineyard", "olive", "greenhouse"),
    (*FOREST, "grassland", "shrub", "heath", "burned"),
    ("wetland",),
    ("sand", "rock", "bare_soil"),
    (*WATER, "flood"),
    ("snow", "ice"),
)
COVERS = {cover: layer for layer, covers in enumerate(LAYER) for cover in covers}
"""Label layer of each simulated cover."""

THEMES = (
    "village", "wetland", "desert", "river", "city", "cropland", "coast", "mixed", "residential",
    "lake", "mountain", "smallholder", "wetland", "pasture",
)  # fmt: skip

MONTHS = (4, 5, 6, 7, 8, 9)
REGIONS = ("temperate", "tropics", "southern", "east asia", "sahel")
"""Areas lie on all continents; the product is atmospherically corrected and cloud-free."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write areas with one month each, of which only the days that are read."""
    lines: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for number, (split, _, key) in enumerate(simulation.plan(NAME), 1001):
        lines[split].append(_write_area(root, number, key, simulation))
    for split, rows in lines.items():
        write_lines(root / SPLIT_FILES / f"{split}.txt", rows)


def _write_area(root: Path, number: int, key: Key, simulation: Simulation) -> str:
    """Write an area's month; returns its line of the split file."""
    index = int(key[-1])
    month = MONTHS[index % len(MONTHS)]
    region = REGIONS[index % len(REGIONS)]
    land = simulation.draw(key, THEMES[index % len(THEMES)], doy=30 * month - 15)
    area, stamp = f"{number}_3107_13", f"2018-{month:02d}"
    grid, quad = "33N/15E-50N", f"33N-15E-{index}N-L3H-SR"
    label = f"labels/{area}_33N/Labels/Raster/{quad}/{quad}-{stamp.replace('-', '_')}_01.tif"
    place = (simulation.gsd, (500000.0 + number * simulation.side, 5.6e6))
    write_geotiff(root / label, _layers(land), *place)
    for day in DAYS:
        seen = observe(land, (*key, day), BANDS, region=region, product="surface").image
        path = root / "planet" / grid / area / "PF-SR" / f"{stamp}-{day}.tif"
        write_geotiff(path, np.clip(seen, 1, None).astype(np.int16), *place)
    return f"{LISTED}{grid}/{area}/PF-SR /{label} {stamp}"


def _layers(land: Landscape) -> np.ndarray:
    """(layers, H, W) uint8, 255 in the layer of the pixel's class."""
    classes = legend(land.cover, COVERS)
    return np.where(classes == np.arange(LAYERS)[:, None, None], 255, 0).astype(np.uint8)
