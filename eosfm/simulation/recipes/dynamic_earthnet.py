"""A simulated DynamicEarthNet in its native layout.

By what is published of the real one (Toker et al. 2022, arXiv 2203.12560): all months, areas of all
continents that change, splits by area; mean and deviation of the bands; agriculture and wetlands
below an IoU of 0.2 with every model, confused with other vegetation and with soil; a U-Net at 0.38.
"""

from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.dynamic_earthnet import BANDS, DAYS, LAYERS, LISTED, NAME, SPLIT_FILES
from eosfm.simulation import Key, Landscape, Simulation, evolve, legend, observe, write_lines
from eosfm.simulation.covers import CROPS, FOREST, ROOFS, WATER
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.noise import generator

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

SOIL = 4
SPARSE = ("grassland", "shrub", "heath")
"""Covers that are soil to an annotator when little of them is green."""
BARE = (0.15, 0.5)
"""Vigour below which they are: areas were labelled by several people."""
OUTLINE = 6.0
"""Metres within which a label follows what prevails: it is drawn in polygons, not in pixels."""

THEMES = (
    "grassland", "desert", "river", "forest", "city", "smallholder", "shrub", "mixed", "lake",
    "shrub", "pasture", "broadleaf", "village", "mountain", "grassland", "wetland", "shrub",
    "cropland", "conifer", "coast", "residential", "grassland", "desert",
)  # fmt: skip
"""In shares near the published ones: two fifths vegetation, a quarter soil, hardly any wetland."""
CHANGING = 1.5
"""How much is being cleared where anything grows: areas were chosen for their changes."""
MONTHS = range(1, 13)
REGIONS = ("temperate", "tropics", "southern", "east asia", "sahel")
"""Areas lie on all continents; the product is atmospherically corrected and cloud-free."""
AWAY: dict[Split, int] = {"train": 0, "val": 2, "test": 3}
"""Places in both lists by which like areas of a split lie elsewhere: splits are by area."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write areas with one month each, of which only the days that are read."""
    lines: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for number, (split, _, key) in enumerate(simulation.plan(NAME), 1001):
        lines[split].append(_write_area(root, number, split, key, simulation))
    for split, rows in lines.items():
        write_lines(root / SPLIT_FILES / f"{split}.txt", rows)


def _write_area(root: Path, number: int, split: Split, key: Key, simulation: Simulation) -> str:
    """Write an area's month; returns its line of the split file."""
    index = int(key[-1])
    theme, turn = THEMES[index % len(THEMES)], index + AWAY[split]
    month, region = MONTHS[turn % len(MONTHS)], REGIONS[turn % len(REGIONS)]
    doy = 30 * month - 15
    season = (doy + 182) % 365 if region == "southern" else doy
    land = simulation.draw(key, theme, doy=season).change(doy=doy)
    if theme not in ("desert", "mountain"):
        land = evolve(land, (*key, "clearing"), "clearing", strength=CHANGING)
    area, stamp = f"{number}_3107_13", f"2018-{month:02d}"
    grid, quad = "33N/15E-50N", f"33N-15E-{index}N-L3H-SR"
    label = f"labels/{area}_33N/Labels/Raster/{quad}/{quad}-{stamp.replace('-', '_')}_01.tif"
    place = (simulation.gsd, (500000.0 + number * simulation.side, 5.6e6))
    bare = generator(key, "annotator").uniform(*BARE)
    write_geotiff(root / label, _layers(land, bare), *place)
    for day in DAYS:
        seen = observe(land, (*key, day), BANDS, region=region, product="surface").image
        path = root / "planet" / grid / area / "PF-SR" / f"{stamp}-{day}.tif"
        write_geotiff(path, np.clip(seen, 1, None).astype(np.int16), *place)
    return f"{LISTED}{grid}/{area}/PF-SR /{label} {stamp}"


def _layers(land: Landscape, bare: float) -> np.ndarray:
    """(layers, H, W) uint8, 255 in the layer of the pixel's class."""
    from scipy.ndimage import gaussian_filter

    names = np.arange(LAYERS)[:, None, None]
    classes = legend(land.cover, COVERS)
    classes[land.shows(*SPARSE) & (land.vigour < bare)] = SOIL
    reach = OUTLINE / land.gsd
    around = gaussian_filter((classes == names).astype(np.float32), (0, reach, reach))
    return np.where(around.argmax(0) == names, 255, 0).astype(np.uint8)
