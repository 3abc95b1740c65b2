"""What a C-band radar sees of a landscape."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.simulation.covers import BUILDINGS, CODE, RADAR, SOIL, WATER
from eosfm.simulation.grid import coordinates, shifted, spread
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key, fractal, generator

Units = Literal["db", "dn8"]
LOOKS = 4.4
"""Equivalent number of looks of Sentinel-1's ground range products (ESA product specification)."""

RESOLUTION = 20.0
"""Metres between points that the radar tells apart; pixels that lie closer share speckle."""

INCIDENCE = (30.0, 45.0)
"""Degrees at near and far range of the interferometric wide swath, 250 km across."""

_PER_KM = (INCIDENCE[1] - INCIDENCE[0]) / 250
_FALL = (0.13, 0.4)  # dB lost per degree of incidence by land and by water
_REFERENCE = 37.0  # degrees at which the means of the covers hold

# Flooded canopies in dB, VV and VH: stems and water act as corner reflectors, which raises VV by
# some 4 dB over the dry canopy, and VH, which comes from the crowns, hardly.
_STANDING = (-6.5, -17.0)
_SOAKED = 3.0  # dB of bare soil that is full of water over that of usual moisture

_POLARISATION = {"vv": 0, "vh": 1, "sar": 0, "vv_desc": 0, "vh_desc": 1}


def backscatter(
    land: Landscape, key: Key, bands: Sequence[str] = ("vv", "vh"), units: Units = "db"
) -> np.ndarray:
    """Look at a landscape with a side-looking radar.

    Mean backscatter by cover, raised by vigour, soil moisture, slopes that face the radar, walls
    and flooded stems (double bounce; Tsyganskaya et al. 2018, doi:10.1080/01431161.2017.1420938),
    lowered in radar shadow and with incidence (Bauer-Marschallinger et al. 2021,
    doi:10.3390/rs13101870); water roughens with the scene's wind; speckle is multiplicative, gamma
    distributed (Goodman 1976, doi:10.1364/JOSA.66.001145) and shared by neighbouring pixels that
    are finer than the radar's resolution. Descending bands see the scene from the other side.

    Args:
        land: The landscape.
        key: Two keys are two passes over the same ground.
        bands: Names of radar bands in the order of the channels; repetition is allowed.
        units: ``db`` (float32, -40 to 10) or ``dn8`` (uint8 over -30 to 0 dB).

    Returns:
        (C, H, W) array.

    Raises:
        EosfmError: A band is no radar band, or there is none.
    """
    wrong = [name for name in bands if name not in _POLARISATION]
    if wrong or not bands:
        valid = ", ".join(_POLARISATION)
        raise EosfmError(f"{', '.join(wrong) or 'no band'} is no radar band; valid: {valid}")
    powers: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(bands):
        descending = name.endswith("_desc")
        rng = generator(key, "radar", "desc" if descending else "asc")
        # To the right of the track: northwards it looks east, so the radar is in the west.
        side = 1 if descending else -1
        power = 10 ** (_level(land, rng, _POLARISATION[name], side) / 10)
        speckle = _speckle(generator(key, "speckle", name), land.size, land.gsd)
        powers[name] = 10 * np.log10(np.maximum(power * speckle, 1e-4))
    image = np.clip(np.stack([powers[name] for name in bands]), -40, 10).astype(np.float32)
    if units == "db":
        return image
    return np.rint(np.clip((image + 30) / 30, 0, 1) * 255).astype(np.uint8)


def _speckle(rng: np.random.Generator, size: tuple[int, int], gsd: float) -> np.ndarray:
    """(H, W) float32 of mean 1 and variance 1 / LOOKS; correlated below the resolution.

    Sums of gamma variables are nearly gamma distributed: rougher, independent ones are mixed with
    their neighbours.
    """
    share = 0.2 * min(1.0, (0.5 * RESOLUTION / gsd) ** 2)
    kept = 2 * share**2 + (1 - 2 * share) ** 2  # of the variance, for each axis
    looks = LOOKS * kept**2
    return spread(rng.standard_gamma(looks, size, dtype=np.float32) / np.float32(looks), share)


def _level(land: Landscape, rng: np.random.Generator, cross: int, side: int) -> np.ndarray:
    """(H, W) float32 mean backscatter in dB before speckle."""
    heading = rng.normal(np.deg2rad(80), 0.12)
    towards = (side * np.sin(heading), np.cos(heading))  # unit vector east, south to the radar
    level = RADAR[cross][land.cover]
    # Canopies scatter more as they grow; soils more as they are wetter (Ulaby and Dobson 1989).
    flooded = land.shows("flood")
    grown = np.where((land.vigour > 0) & ~flooded, land.vigour - 0.6, 0)
    level = level + (2.5 if cross == 0 else 4.5) * grown
    level += 5.0 * (land.moisture - 0.4) * SOIL[land.cover] * (1 - land.vigour)
    level += 4.0 * (np.clip(land.tone, 0.5, 2) - 1) + rng.normal(0, 0.9)
    level += 0.05 * np.minimum(land.canopy_height, 25) - 0.6
    level = _waves(land, rng, level, cross)
    bare = RADAR[cross][CODE["bare_field"]] + _SOAKED
    level = _mixed(level, np.where(flooded, 1 - land.moisture, 0), bare)
    level = _mixed(level, np.where(flooded, land.vigour, 0), _STANDING[cross])
    down, right = np.gradient(land.elevation, np.float32(land.gsd))
    facing = right * np.float32(towards[0]) * -1 + down * np.float32(-towards[1])
    level += np.clip(11 * facing, -9, 9)
    level += _walls(land, towards)
    # Near range is brighter than far range.
    east = coordinates(land.size, land.gsd)[0] / 1000
    incidence = rng.uniform(*INCIDENCE) - side * _PER_KM * east
    fall = np.where(land.shows(*WATER, "flood"), _FALL[1], _FALL[0]) * (1 - 0.5 * cross)
    return (level - fall * (incidence - _REFERENCE)).astype(np.float32)


def _mixed(level: np.ndarray, share: np.ndarray, other: float) -> np.ndarray:
    """Mix backscatter in dB with that of what stands in a share of each pixel."""
    power = (1 - share) * 10 ** (level / 10) + share * 10 ** np.float32(other / 10)
    return np.where(share > 0, 10 * np.log10(power), level)


def _waves(land: Landscape, rng: np.random.Generator, level: np.ndarray, cross: int) -> np.ndarray:
    """Wind roughens water, in streaks and gusts, at times up to the level of land."""
    wind = rng.beta(1.3, 3.2) * (11 if cross == 0 else 6)
    gusts = 1 + 0.5 * fractal(rng, land.size, 0.4 * max(land.size), 4, 0.6)
    open_water = land.shows(*WATER)
    sheltered = land.shows("flood", "river")
    gain = wind * np.clip(gusts, 0, 2) * np.where(sheltered, 0.6, 1.0)
    return level + np.where(open_water | sheltered, gain, 0).astype(np.float32)


def _walls(land: Landscape, towards: tuple[float, float]) -> np.ndarray:
    """Walls that face the radar glare, more so when parallel to the track; behind lies shadow."""
    if not land.building_height.any():
        return np.zeros(land.size, dtype=np.float32)
    roofs = land.shows(*BUILDINGS)
    # Walls stand along the landscape's main direction and across it.
    turn = np.angle(np.exp(4j * (np.arctan2(towards[1], towards[0]) - land.angle))) / 4
    glare = np.float32(5.5 * np.exp(-((turn / 0.25) ** 2)) - 2.0)
    step = max(1, round(6 / land.gsd))
    lit = shifted(land.building_height, round(towards[1] * step), round(towards[0] * step))
    wall = np.clip(lit / 6, 0, 1) * ~roofs * np.float32(5)
    behind = shifted(land.building_height, -round(towards[1] * step), -round(towards[0] * step))
    return roofs * glare + wall - np.float32(4) * np.clip(behind / 12, 0, 1) * ~roofs
