"""A simulated Inria Aerial Image Labeling in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets.inria_aerial import BUILDING, CITIES, DATASET, FOLDER, NAME, TILES
from eosfm.datasets.readers.geotiff import write_geotiff
from eosfm.simulation import ROOFS, cover_mask, draw_landscape, observe
from eosfm.simulation.recipe import Simulation


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated tiles; the cities take turns.

    Raises:
        EosfmError: More scenes are asked for than a split has tiles.
    """
    cities = list(CITIES)
    for split in SPLITS:
        most = len(cities) * len(TILES[split])
        if simulation.scenes[split] > most:
            raise EosfmError(
                f"{NAME} has {most} {split} tiles, not {simulation.scenes[split]}; lower "
                f"datasets.{NAME}.simulated.{split}"
            )
        for index in range(simulation.scenes[split]):
            turn, place = divmod(index, len(cities))
            _write_tile(root, cities[place], TILES[split][turn], simulation)


def _write_tile(root: Path, city: str, number: int, simulation: Simulation) -> None:
    key = (simulation.seed, NAME, city, number)
    theme = CITIES[city][number % len(CITIES[city])]
    land = draw_landscape(key, (simulation.size, simulation.size), simulation.gsd, theme, doy=150)
    image = observe(land, key, DATASET.bands, units="dn8").image
    label = (cover_mask(land.cover, *ROOFS) * BUILDING).astype(np.uint8)[None]
    side = simulation.size * simulation.gsd
    row, col = divmod(number - 1, 6)
    # The tiles of a city adjoin; the cities are far apart.
    origin = (300_000 + 100_000 * list(CITIES).index(city) + col * side, 5_300_000 - row * side)
    for folder, pixels in (("images", image), ("gt", label)):
        path = root / FOLDER / folder / f"{city}{number}.tif"
        write_geotiff(path, pixels, simulation.gsd, origin)
