"""A simulated Inria Aerial Image Labeling in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.datasets.inria_aerial import BUILDING, CITIES, DATASET, FOLDER, NAME, TILES
from eosfm.simulation import ROOFS, Simulation, observe
from eosfm.simulation.images import write_geotiff

THEMES: dict[str, tuple[str, ...]] = {
    "austin": ("residential", "village"),
    "chicago": ("residential", "city"),
    "kitsap": ("forest", "village"),
    "tyrol-w": ("village", "mixed"),
    "vienna": ("city", "industrial"),
}
"""Simulated themes of each city."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated tiles; the cities take turns."""
    names = {
        split: [(city, number) for number in numbers for city in CITIES]
        for split, numbers in TILES.items()
    }
    for (city, number), _, _ in simulation.name(NAME, "tiles", names):
        key = (simulation.seed, NAME, city, number)
        land = simulation.draw(key, THEMES[city][number % len(THEMES[city])], doy=150)
        image = observe(land, key, DATASET.bands, units="dn8").image
        label = (land.shows(*ROOFS) * BUILDING).astype(np.uint8)[None]
        row, col = divmod(number - 1, 6)
        # The tiles of a city adjoin; the cities are far apart.
        west = 300_000 + 100_000 * CITIES.index(city)
        origin = (west + col * simulation.side, 5_300_000 - row * simulation.side)
        for folder, pixels in (("images", image), ("gt", label)):
            path = root / FOLDER / folder / f"{city}{number}.tif"
            write_geotiff(path, pixels, simulation.gsd, origin)
