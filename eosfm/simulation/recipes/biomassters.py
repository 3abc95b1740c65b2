"""A simulated BioMassters in its native layout."""

import csv
from itertools import count
from pathlib import Path

import numpy as np

from eosfm.core.seeds import derive_seed
from eosfm.datasets import biomassters as native
from eosfm.datasets.biomassters import FOLDERS, MONTHS
from eosfm.simulation import (
    FOREST,
    Key,
    Landscape,
    Simulation,
    backscatter,
    evolve,
    observe,
    resampled,
)
from eosfm.simulation.images import write_tiff
from eosfm.simulation.noise import fractal, generator
from eosfm.simulation.season import Crop, sow

THEMES = ("forest", "conifer", "lake", "forest", "mixed", "conifer")
FIELDS = (Crop("cereal", 30, 3), Crop("pasture", 20, 1), Crop("bare_field", 0, 1))
LAG = 18.0  # days by which the boreal spring is late
SNOW = (3, 4, 5, 6)  # months of the simulated winter, by place
DARK = (2, 3, 4)  # months in which the sun is too low for Sentinel-2
SUNNY = 0.8  # share of the other simulated months in which Sentinel-2 sees a chip


def simulate(root: Path, simulation: Simulation) -> None:
    """Write chips of boreal forest, twelve months each, with gaps where Sentinel-2 saw nothing."""
    rows = []
    for split, index, key in simulation.plan(native.NAME):
        folder = FOLDERS[split]
        chips = (f"{derive_seed(*key, attempt):08x}" for attempt in count())
        chip = next(name for name in chips if native.split_of(folder, name) == split)
        for name in _write_chip(root, folder, chip, index, key, simulation):
            satellite, month = name.split("_")[1], MONTHS[int(name[-6:-4])]
            rows.append((chip, name, satellite, folder, month, f"{chip}_agbm.tif"))
    with (root / native.METADATA[0]).open("w", newline="") as file:
        csv.writer(file).writerows([native.COLUMNS, *rows])


def _write_chip(
    root: Path, folder: str, chip: str, index: int, key: Key, simulation: Simulation
) -> list[str]:
    """Write a chip's biomass and images; return the names of the images."""
    rng = generator(key, "biomassters")
    land = simulation.draw(key, THEMES[index % len(THEMES)], doy=190)
    write_tiff(root / f"{folder}_agbm" / f"{chip}_agbm.tif", biomass(land, key)[None])
    season = sow(land, key, FIELDS, LAG)
    # Tall crowns shade one another, and return more of the radar's waves than low ones.
    dark, bright = _by_height(land, -0.014), _by_height(land, 0.014)
    names = []
    for month in range(len(MONTHS)):
        now = season.on(15 + 30 * ((month + 8) % 12))
        if month in SNOW:
            now = evolve(now, (*key, month), "snow")
        tall = now.change(tone=now.tone * bright)
        images = {"S1": backscatter(tall, (*key, month), native.RADAR)}
        if month not in DARK and rng.random() < SUNNY:
            cloud = float(rng.choice((0, 0, 0.15)))
            images["S2"] = _sentinel2(now.change(tone=now.tone * dark), (*key, month), cloud)
        for satellite, pixels in images.items():
            names.append(f"{chip}_{satellite}_{month:02d}.tif")
            write_tiff(root / f"{folder}_features" / names[-1], pixels)
    return names


def _sentinel2(land: Landscape, key: Key, cloud: float) -> np.ndarray:
    """(11, H, W) uint16: ten bands of reflectance, and the cloud probability in per cent."""
    bands = native.OPTICAL
    seen = observe(land, key, bands, cloud=cloud, region="boreal", product="surface")
    probability = np.where(seen.cloud, 95, 3).astype(np.uint16)
    return np.concatenate([np.maximum(resampled(seen.image, bands), 1), probability[None]])


def _by_height(land: Landscape, per_metre: float) -> np.ndarray:
    """(H, W) float32 brightness of trees relative to those of 15 m, 1 where there are none."""
    trees = land.shows(*FOREST)
    return np.where(trees, 1 + per_metre * (land.canopy_height - 15), 1).astype(np.float32)


def biomass(land: Landscape, key: Key) -> np.ndarray:
    """(H, W) float32 tonnes per hectare, after height, kind and density of the stand.

    The power of height is near that of boreal stands (Repola 2009, Silva Fennica 43:625).
    """
    stand = fractal(generator(key, "density"), land.size, 40, 3)
    wood = 0.4 * land.canopy_height**1.75 * np.clip(1 + 0.15 * stand, 0.5, 1.5)
    wood *= np.where(land.shows("broadleaf"), 1.2, 1.0)
    return np.where(land.shows(*FOREST), wood, 0).astype(np.float32)
