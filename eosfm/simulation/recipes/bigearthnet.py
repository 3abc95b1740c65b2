"""A simulated BigEarthNet v2 (reBEN) in its native layout."""

from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets import bigearthnet as native
from eosfm.datasets.bigearthnet import CLASSES, NAME, S2_STEP
from eosfm.simulation import Landscape, Simulation, average, backscatter, legend, observe
from eosfm.simulation.covers import CROPS, FOREST, ROOFS
from eosfm.simulation.images import write_geotiff

# CORINE code that stands for each class in a simulated map; 999 is "unlabelled" in the real ones.
CORINE = (112, 121, 211, 222, 231, 242, 243, 244, 311, 312, 313, 321, 322, 324, 331, 411, 421, 512,
          523, 999)  # fmt: skip

NO_CLASS = len(CLASSES)
ABSORBED = NO_CLASS + 1  # too narrow for CORINE: part of whatever lies around
SMALLEST = 0.05

# Position in CLASSES of each cover.
COVER_CLASS = {
    "roof_red": 0, "roof_grey": 0, "roof_bright": 1,
    "cereal": 2, "maize": 2, "rapeseed": 2, "vegetable": 2, "rice": 2, "bare_field": 2,
    "greenhouse": 2, "orchard": 3, "vineyard": 3, "olive": 3, "pasture": 4,
    "broadleaf": 8, "conifer": 9, "mixed_forest": 10, "grassland": 11, "rock": 11,
    "bare_soil": 11, "heath": 12, "shrub": 13, "sand": 14, "wetland": 15, "flood": 15,
    "lake": 17, "river": 17, "ocean": 18,
    "burned": NO_CLASS, "snow": NO_CLASS, "ice": NO_CLASS,
    "asphalt": ABSORBED, "concrete": ABSORBED, "road": ABSORBED, "rail": ABSORBED, "car": ABSORBED,
}  # fmt: skip

# Classes that CORINE defines by context: gardens are urban fabric, grass by the sea is salt marsh,
# grass between fields is part of them. Agro-forestry (grazed oak parkland) has no counterpart among
# the simulated landscapes.
FIELDS = (*CROPS, "bare_field")

THEME_CLASS = {
    "smallholder": dict.fromkeys((*FIELDS, "pasture", "orchard", "vineyard"), 5),
    "village": {"grassland": ABSORBED, "roof_bright": 0},
    "city": {"grassland": 0, "roof_bright": 0},
    "industrial": dict.fromkeys((*ROOFS, "asphalt", "concrete", "grassland"), 1),
    "coast": {"grassland": 16, "wetland": 16},
    "cropland": {"grassland": ABSORBED},
    "orchard": {"grassland": ABSORBED},
    "pasture": {"grassland": ABSORBED},
}

# Where these fill more of a patch than fields do, the fields are "land principally occupied by
# agriculture, with significant areas of natural vegetation".
NATURAL = (*FOREST, "grassland", "shrub", "heath", "wetland")

THEMES = (
    "cropland", "forest", "village", "smallholder", "sea", "conifer", "pasture", "mixed",
    "industrial", "river", "broadleaf", "orchard", "coast", "shrub", "city", "wetland",
    "grassland", "lake", "mountain",
)  # fmt: skip
"""Simulated patches take these themes in turn, in every split."""

DAYS = tuple(date(*ymd) for ymd in ((2017, 6, 13), (2017, 8, 18), (2017, 10, 2), (2018, 4, 21)))
TILES: dict[Split, str] = {"train": "33UUP", "val": "34VER", "test": "29UPU"}
COUNTRIES: dict[Split, str] = {"train": "Austria", "val": "Finland", "test": "Ireland"}


def map_path(root: Path, patch: str) -> Path:
    """A patch's CORINE land cover map."""
    return root / native.MAP_FOLDER / native.parent(patch, 2) / patch / f"{patch}_reference_map.tif"


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy: each split in Sentinel-2 tiles of its own."""
    import pyarrow
    from pyarrow import parquet

    if simulation.size % native.COARSEST:
        raise EosfmError(
            f"datasets.bigearthnet.simulated.size is {simulation.size}; 60 m pixels must fit, "
            f"so give a multiple of {native.COARSEST}"
        )
    rows = []
    for split, index, _ in simulation.plan(NAME):
        patch, s1_name = simulated_names(split, index)
        drawn = draw(simulation, split, index)
        _write_patch(root, patch, s1_name, drawn, simulation)
        rows.append(
            {
                "patch_id": patch,
                "labels": [CLASSES[i] for i in np.unique(drawn["map"]) if i < len(CLASSES)],
                "split": native.SPLIT_NAMES[SPLITS.index(split)],
                "country": COUNTRIES[split],
                "s1_name": s1_name,
                # Version 1 named the same patch without baseline, orbit and tile.
                "s2v1_name": "_".join(patch.split("_")[:3] + patch.split("_")[-2:]),
                "contains_seasonal_snow": False,
                "contains_cloud_or_shadow": False,
            }
        )
    parquet.write_table(pyarrow.Table.from_pylist(rows), root / "metadata.parquet")


def simulated_names(split: Split, index: int) -> tuple[str, str]:
    """The Sentinel-2 and Sentinel-1 names of a simulated patch."""
    day = DAYS[index % len(DAYS)].strftime("%Y%m%d")
    place = f"{TILES[split]}_{index // 90:02d}_{index % 90:02d}"
    s1_name = f"S1A_IW_GRDH_1SDV_{day}T165043_{place}"
    return f"S2A_MSIL2A_{day}T101031_N9999_R022_T{place}", s1_name


def draw(simulation: Simulation, split: Split, index: int) -> dict[str, np.ndarray]:
    """A simulated patch on the 10 m grid.

    Returns:
        ``s1`` (2, H, W) float32 decibels; ``s2`` (12, H, W) uint16; ``map`` (H, W) uint8 positions
        in :data:`CLASSES`, or :data:`NO_CLASS`.
    """
    key = (simulation.seed, NAME, split, index)
    theme = THEMES[index % len(THEMES)]
    land = simulation.draw(key, theme, DAYS[index % len(DAYS)].timetuple().tm_yday)
    return {
        "s1": backscatter(land, key, ("vv", "vh")),
        "s2": observe(land, key, tuple(S2_STEP), product="surface").image,
        "map": generalise(_classes(land, theme)),
    }


def _classes(land: Landscape, theme: str) -> np.ndarray:
    """(H, W) positions in :data:`CLASSES`, :data:`NO_CLASS` or :data:`ABSORBED`."""
    classes = COVER_CLASS | THEME_CLASS.get(theme, {})
    wild = land.shows(*NATURAL).mean() > land.shows(*FIELDS).mean()
    if wild and theme != "smallholder":
        classes |= dict.fromkeys(FIELDS, 6)
    return legend(land.cover, classes)


def generalise(classes: np.ndarray) -> np.ndarray:
    """Give small areas to their surroundings, as CORINE's minimum mapping unit does.

    In the map (H, W) that is returned every value fills at least :data:`SMALLEST` of it and none
    is :data:`ABSORBED`; all other pixels have their nearest neighbour's value.
    """
    # Streets and gardens are merged with their houses before the area of a village is measured.
    filled = _fill(classes, classes != ABSORBED)
    area = np.bincount(filled.ravel())[filled]
    return _fill(filled, area >= min(SMALLEST * classes.size, area.max()))


def _fill(classes: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Give pixels that are not kept the value of the nearest one that is."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~kept, return_distances=False, return_indices=True)
    return classes[tuple(nearest)]


def _write_patch(
    root: Path, patch: str, s1_name: str, drawn: dict[str, np.ndarray], simulation: Simulation
) -> None:
    tile, row, col = s1_name.rsplit("_", 3)[1:]
    side = simulation.side
    origin = (300_000 + int(col) * side, 5_500_020 - int(row) * side)
    write = partial(write_geotiff, origin=origin, crs=f"EPSG:326{tile[:2]}")
    for name, band in zip(native.BANDS[:2], drawn["s1"], strict=True):
        write(native.s1_path(root, s1_name, name), band[None], simulation.gsd)
    for (name, step), band in zip(S2_STEP.items(), drawn["s2"], strict=True):
        # A coarse pixel is the mean of the fine ones below it.
        mean = average(band, step).round().astype(np.uint16)
        write(native.s2_path(root, patch, name), mean[None], simulation.gsd * step)
    codes = np.array(CORINE, dtype=np.uint16)[drawn["map"]]
    write(map_path(root, patch), codes[None], simulation.gsd)
