"""A simulated Sentinel-2 Cloud Cover Detection Challenge in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS
from eosfm.datasets.cloud_cover import BANDS, COLUMNS, FOLDERS, NAME, split_of
from eosfm.simulation import Key, Simulation, observe, write_lines
from eosfm.simulation.images import write_geotiff

SHARES = (0.0, 0.1, 0.35, 0.6, 0.25, 0.8)
"""Cloud share of the simulated chips in turn: the challenge's are clear to overcast."""

SCENERY = (
    ("smallholder", 40), ("desert", 200), ("coast", 300), ("forest", 180), ("city", 120),
    ("river", 90), ("shrub", 250), ("pasture", 150), ("mountain", 60),
)  # fmt: skip
"""Theme and day of the year, in turn; snow and sand are easily mistaken for clouds."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated chips under clear, broken and closed cloud.

    The locations are numbered in turn, so that the reader's rule gives each split the number of
    chips asked for: four chips to a location.
    """
    rows = {folder: [",".join(COLUMNS)] for folder in FOLDERS}
    numbers = {split: count() for split in SPLITS}
    for number, (split, index, key) in enumerate(simulation.plan(NAME)):
        folder = "test" if split == "test" else "train"
        if index % 4 == 0:
            names = (f"Simulated {split} {tried}" for tried in numbers[split])
            location = next(name for name in names if split_of(folder, name) == split)
        chip = f"chip{number:04d}"
        _write_chip(root / folder, chip, number, key, simulation)
        rows[folder].append(f"{chip},{location},2020-04-{1 + index % 28:02d}T08:38:46Z")
    for folder, lines in rows.items():
        write_lines(root / folder / f"{folder}_metadata.csv", lines)


def _write_chip(folder: Path, chip: str, number: int, key: Key, simulation: Simulation) -> None:
    index = int(key[-1])
    land = simulation.draw(key, *SCENERY[index % len(SCENERY)])
    # 9 and 6 have a common divisor; the shift per round gives each scenery all shares in turn.
    cloud = SHARES[(index + 2 * (index // len(SCENERY))) % len(SHARES)]
    seen = observe(land, key, BANDS, cloud=cloud, region="southern", product="surface")
    place = (simulation.gsd, (300_000.0 + number * simulation.side, 8_000_000.0), "EPSG:32736")
    for band, pixels in zip(BANDS, seen.image, strict=True):
        path = folder / f"{folder.name}_features" / chip / f"{band}.tif"
        write_geotiff(path, pixels[None], *place)
    path = folder / f"{folder.name}_labels" / f"{chip}.tif"
    write_geotiff(path, seen.cloud.astype(np.uint8)[None], *place)
