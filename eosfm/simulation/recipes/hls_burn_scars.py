"""A simulated HLS Burn Scars in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.datasets.hls_burn_scars import BANDS, FOLDERS, IMAGE, MASK, NAME, PREFIX, split_of
from eosfm.simulation import Key, Landscape, Simulation, evolve, observe
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.noise import fractal, generator

THEMES = ("conifer", "shrub", "forest", "grassland", "mixed", "shrub")
OLD_SCAR = 0.35  # share of the simulated scenes


def simulate(root: Path, simulation: Simulation) -> None:
    """Write scenes in which a fire left its scar, and often something else that looks like one."""
    tiles = ((number, _tile(number)) for number in count(1))
    for split, index, key in simulation.plan(NAME):
        folder = FOLDERS[split]
        number, tile = next(each for each in tiles if split_of(folder, each[1]) == split)
        stem = f"{PREFIX}{tile}.{2018 + index % 4}{200 + index % 100:03d}.v1.4"
        image, mask = draw(key, index, simulation)
        origin = (300_000.0 + number * simulation.side, 4_200_000.0)
        for name, pixels in ((stem + IMAGE, image), (stem + MASK, mask[None])):
            write_geotiff(root / folder / name, pixels, simulation.gsd, origin, "EPSG:32610")


def _tile(number: int) -> str:
    """A made-up Sentinel-2 tile."""
    letters = "".join(chr(ord("A") + number // 26**place % 26) for place in (2, 1, 0))
    return f"T{10 + number % 10}{letters}"


def draw(key: Key, index: int, simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance (6, H, W) float32 0 to 1, and mask (H, W) int16.

    The mask shows one fire. Some scenes also bear an older scar, half grown over. None has clouds:
    the published ones were chosen so.
    """
    rng = generator(key, "fire")
    shape = (simulation.size, simulation.size)
    theme, doy = THEMES[index % len(THEMES)], int(rng.integers(170, 290))
    before = simulation.draw(key, theme, doy)
    after, severity = before, np.zeros(shape, np.float32)
    if rng.random() < OLD_SCAR:
        after, old = _burn(after, (*key, "old"), rng, (0.15, 0.4))
        severity = np.maximum(severity, old)
    after, new = _burn(after, (*key, "new"), rng, (0.55, 1.0))
    severity = np.maximum(severity, new)
    unburned, burned = (
        observe(land, (*key, "hls"), BANDS, region="dry west", product="surface").image.astype(
            np.float32
        )
        for land in (before, after)
    )
    image = unburned + severity * (burned - unburned)
    mask = _perimeter(new > 0)
    if index % 4 == 3:  # the swath ends within the scene
        image[:, :, : shape[1] // 16], mask[:, : shape[1] // 16] = -9999e4, -1
    return image / np.float32(10_000), mask


def _burn(
    land: Landscape, key: Key, rng: np.random.Generator, severity: tuple[float, float]
) -> tuple[Landscape, np.ndarray]:
    """The land after a fire, and how much of each pixel burned, (H, W) float32 0 to 1."""
    after = evolve(land, key, "burn", strength=float(rng.uniform(0.4, 1.0)))
    burned = (after.cover != land.cover) & after.shows("burned")
    patches = fractal(rng, land.size, 0.12 * land.size[0], 3, 0.6)
    share = np.clip(rng.uniform(*severity) + 0.4 * patches, 0.05, 1)
    return after, (burned * share).astype(np.float32)


def _perimeter(burned: np.ndarray) -> np.ndarray:
    """Mask (H, W) int16 as mapped: one smooth outline around a fire, spared islands within it."""
    from scipy.ndimage import binary_fill_holes, gaussian_filter

    filled = binary_fill_holes(burned)
    return (gaussian_filter(filled.astype(np.float32), 2) > 0.45).astype(np.int16)
