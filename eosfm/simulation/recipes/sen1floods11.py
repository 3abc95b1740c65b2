"""A simulated Sen1Floods11 (hand-labelled) in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.core.splits import Split
from eosfm.datasets.sen1floods11 import CHIPS, METADATA, NAME, SPLIT_FILES
from eosfm.simulation import Key, Simulation, backscatter, evolve, observe, resampled
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.noise import fractal, generator
from eosfm.simulation.recipe import write_geojson, write_lines

THEMES = ("river", "cropland", "lake", "smallholder", "wetland", "village", "coast")
REGIONS = ("tropics", "southern", "temperate", "east asia", "sahel")  # events of the whole world
CLOUDY_EVERY = 3
DEGREES_PER_PIXEL = 8.983152841195215e-05


def simulate(root: Path, simulation: Simulation) -> None:
    """Write pairs of one flooded landscape seen by both satellites, some of them under cloud."""
    rows: dict[Split, list[str]] = {split: [] for split in SPLIT_FILES}
    for number, (split, _, key) in enumerate(simulation.plan(NAME), 100000):
        chip = f"Simulia_{number}"
        _write_chip(root / CHIPS, chip, key, simulation)
        rows[split].append(f"{chip}_S1Hand.tif,{chip}_LabelHand.tif")
    for split, file in SPLIT_FILES.items():
        write_lines(root / file, rows[split])
    event = {"location": "Simulia", "s1_date": "2018/08/22", "s2_date": "2018/08/23"}
    write_geojson(root / METADATA, [{"properties": event, "geometry": None}])


def _write_chip(chips: Path, chip: str, key: Key, simulation: Simulation) -> None:
    """One landscape after a flood: Sentinel-2 with clouds, Sentinel-1 through them, its water."""
    index = int(key[-1])
    land = simulation.draw(key, THEMES[index % len(THEMES)], doy=235)
    if index % 4 != 3:
        land = evolve(land, (*key, "flood"), "flood")
    cloud = 0.06 if index % CLOUDY_EVERY == 1 else 0.0
    region = REGIONS[index % len(REGIONS)]
    optical = observe(land, (*key, "s2"), S2_BANDS, cloud=cloud, region=region)
    image = resampled(optical.image, S2_BANDS)
    # The labels are drawn by hand on Sentinel-2's image: the line is not the same everywhere.
    drift = fractal(generator(key, "line"), land.size, 300 / land.gsd, 5, 0.7)
    line = np.clip(0.5 + 0.25 * drift, 0.15, 0.85)
    water = (land.open_water() > line).astype(np.int16)
    water[optical.cloud] = -1
    west = (int(chip.split("_")[1]) % 1000) * simulation.size * DEGREES_PER_PIXEL
    for layer, pixels in (
        ("S2Hand", np.clip(image, 1, 32767).astype(np.int16)),
        ("S1Hand", backscatter(land, (*key, "s1"))),
        ("LabelHand", water[None]),
    ):
        path = chips / layer / f"{chip}_{layer}.tif"
        write_geotiff(path, pixels, DEGREES_PER_PIXEL, (west, 38.0), crs="EPSG:4326")
