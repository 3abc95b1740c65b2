"""A simulated CaFFe (calving fronts and where to find them), zones in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.seeds import derive_seed
from eosfm.datasets.caffe import FOLDER, NAME, ZONES
from eosfm.simulation import WATER, Key, Landscape, Simulation, backscatter
from eosfm.simulation.images import write_png

GREY_OF = np.array(list(ZONES), np.uint8)
BERG_SHARE = 0.01  # ice that drifts covers no more than this share of a simulated scene
MISSIONS = (("TSX", 7), ("S1", 20), ("ENVISAT", 20), ("ERS", 20), ("PALSAR", 17), ("RSAT", 20))


def simulate(root: Path, simulation: Simulation) -> None:
    """Write patches of fjords with a calving glacier, some at the edge of the radar's swath."""
    for split, index, key in simulation.plan(NAME):
        land = simulation.draw(key, "glacier", doy=50)
        image = backscatter(land, key, ("sar",), units="dn8")[0]
        zones = _zones_of(land)
        if index % 3 == 0:
            outside = _outside(key, land.size)
            image[outside] = zones[outside] = 0
        mission, pixel = MISSIONS[index % len(MISSIONS)]
        glacier = f"Simulated{split.title()}_{2000 + index % 20}-02-{1 + index % 28:02d}"
        scene = f"{glacier}_{mission}_{pixel}_1_{index:03d}"
        for folder, part, pixels in (
            ("sar_images", "", image),
            ("zones", "zones_", GREY_OF[zones]),
            ("fronts", "front_", _front(zones)),
        ):
            write_png(root / FOLDER / folder / split / f"{scene}_{part}_0_0_0_0_0.png", pixels)


def _zones_of(land: Landscape) -> np.ndarray:
    """Zones by cover; ice that floats free of the glacier is part of the melange."""
    from scipy.ndimage import label

    zones = np.full(land.size, 2, np.uint8)
    zones[land.shows("rock")] = 1
    ocean = land.shows(*WATER)
    parts, count = label(~ocean)
    small = np.bincount(parts.ravel(), minlength=count + 1) < BERG_SHARE * ocean.size
    zones[ocean | (small[parts] & land.shows("ice"))] = 3
    return zones


def _outside(key: Key, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool beyond the slanting edge of the swath: up to a third of the scene."""
    rng = np.random.default_rng(derive_seed(*key, "swath"))
    rows, cols = np.mgrid[: shape[0], : shape[1]] / max(shape)
    edge = rng.uniform(0.1, 0.3) + rng.uniform(-0.2, 0.2) * (rows - 0.5)
    return cols < edge if rng.random() < 0.5 else cols > 1 - edge


def _front(zones: np.ndarray) -> np.ndarray:
    """(H, W) uint8 line, 255 where glacier meets ocean, five pixels wide as in the original."""
    from scipy.ndimage import binary_dilation

    touching = binary_dilation(zones == 3) & (zones == 2)
    return binary_dilation(touching, np.ones((5, 5), bool)).astype(np.uint8) * 255
