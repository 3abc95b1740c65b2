"""A simulated AI4SmallFarms in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.datasets.ai4smallfarms import BANDS, FOLDER, FOLDERS, NAME
from eosfm.simulation import CROPS, Key, Landscape, Simulation, observe
from eosfm.simulation.images import write_geotiff

COUNTRIES = ("cambodia", "vietnam")
DAYS = (20, 80, 230, 300)  # days of the year of the simulated tiles
REACH = 2.0  # pixels that two simulated fields may lie apart and still share a boundary
LINE = 10.0  # width of a boundary in metres: one pixel of the original


def simulate(root: Path, simulation: Simulation) -> None:
    """Write tiles of small, irregular fields in two countries, each on one day of the year."""
    for number, (split, index, key) in enumerate(simulation.plan(NAME)):
        image, mask = draw(key, index, simulation)
        name = f"{number}_{COUNTRIES[index % len(COUNTRIES)]}.tif"
        origin = (500_000.0 + number * simulation.side, 1_300_000.0)
        for folder, pixels in (("images", image), ("masks", mask[None])):
            path = root / FOLDER / FOLDERS[split] / folder / name
            write_geotiff(path, pixels, simulation.gsd, origin, "EPSG:32648")


def draw(key: Key, index: int, simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Image (4, H, W) uint16 and boundaries (H, W) uint8 of one tile."""
    land = simulation.draw(key, "smallholder", DAYS[index // len(COUNTRIES) % len(DAYS)])
    seen = observe(land, (*key, "s2"), BANDS, region="tropics", product="surface")
    return np.maximum(seen.image, 1), boundaries(land)


def boundaries(land: Landscape) -> np.ndarray:
    """(H, W) uint8, 1 on the boundaries of fields."""
    from scipy.ndimage import binary_dilation, distance_transform_edt

    fields = land.shows(*CROPS, "bare_field")
    number = np.where(fields, land.parcel, 0)
    # Balks between two fields are assigned to the nearer one.
    away, nearest = distance_transform_edt(number == 0, return_indices=True)
    number = np.where(away < REACH, number[tuple(nearest)], 0)
    line = np.zeros(land.size, bool)
    line[:, :-1] |= number[:, :-1] != number[:, 1:]
    line[:-1] |= number[:-1] != number[1:]
    # Lines mark a field's last pixel, so an even width extends equally to both sides.
    width = max(1, round(LINE / land.gsd))
    thick = binary_dilation(line, np.ones((width, width), bool), origin=width % 2 - 1)
    return thick.astype(np.uint8)
