"""A simulated Sentinel-2 Cloud Cover Detection Challenge in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS
from eosfm.datasets.cloud_cover import BANDS, COLUMNS, FOLDERS, NAME, held_out
from eosfm.datasets.readers.geotiff import write_geotiff
from eosfm.simulation import draw_landscape, observe
from eosfm.simulation.recipe import Simulation

SHARES = (0.0, 0.1, 0.35, 0.6, 0.25, 0.8)
"""Cloud share of the simulated chips in turn: the challenge's are clear to overcast."""

SCENERY = (
    ("smallholder", 40), ("desert", 200), ("coast", 300), ("forest", 180), ("city", 120),
    ("river", 90), ("shrub", 250), ("pasture", 150), ("mountain", 60),
)  # fmt: skip
"""Theme and day of the year, in turn; snow and sand are what a cloud is mistaken for."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated chips under clear, broken and closed cloud.

    The locations are numbered in turn, so that the reader's rule gives each split the number of
    chips asked for: four chips to a location.
    """
    rows = {folder: [",".join(COLUMNS)] for folder in FOLDERS}
    chips = count()
    for split in SPLITS:
        folder = "test" if split == "test" else "train"
        names = (f"Simulated {split} {number}" for number in count())
        fitting = (name for name in names if split == "test" or held_out(name) == (split == "val"))
        for index in range(simulation.scenes[split]):
            if index % 4 == 0:
                location = next(fitting)
            chip = f"chip{next(chips):04d}"
            key = (simulation.seed, NAME, split, index)
            _write_chip(root / folder, folder, chip, key, simulation)
            day = 1 + index % 28
            rows[folder].append(f"{chip},{location},2020-04-{day:02d}T08:38:46Z")
    for folder, lines in rows.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / f"{folder}_metadata.csv").write_text("\n".join(lines) + "\n")


def _write_chip(
    folder: Path, name: str, chip: str, key: tuple[int | str, ...], simulation: Simulation
) -> None:
    index = int(key[-1])
    theme, doy = SCENERY[index % len(SCENERY)]
    size = (simulation.size, simulation.size)
    land = draw_landscape(key, size, simulation.gsd, theme, doy)
    seen = observe(land, key, BANDS, cloud=SHARES[index % len(SHARES)])
    origin = (300_000.0 + index * simulation.size * simulation.gsd, 8_000_000.0)
    for band, pixels in zip(BANDS, seen.image, strict=True):
        path = folder / f"{name}_features" / chip / f"{band}.tif"
        write_geotiff(path, pixels[None], simulation.gsd, origin, crs="EPSG:32736")
    write_geotiff(
        folder / f"{name}_labels" / f"{chip}.tif",
        seen.cloud.astype(np.uint8)[None],
        simulation.gsd,
        origin,
        crs="EPSG:32736",
    )
