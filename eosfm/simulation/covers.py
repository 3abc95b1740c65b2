"""What the ground can be covered with, and how each cover looks to a sensor.

Reflectances are round, plausible values set by hand after the shapes in the USGS Spectral Library
version 7 (Kokaly et al. 2017, doi:10.3133/ds1035), the ECOSTRESS library (Meerdink et al. 2019,
doi:10.1016/j.rse.2019.05.015), canopies of PROSAIL (Jacquemoud et al. 2009,
doi:10.1016/j.rse.2008.01.026) and, for water, Pahlevan et al. 2020
(doi:10.1016/j.rse.2019.111604). They are no measurements.

Radar levels are typical C-band means at about 35 degrees of incidence after Ulaby and Dobson,
Handbook of Radar Scattering Statistics for Terrain (1989), Vreugdenhil et al. 2018
(doi:10.3390/rs10091396; crops) and Bauer-Marschallinger et al. 2021 (doi:10.3390/rs13101870;
water and land). They too are plausible, not measured.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from eosfm.core.errors import EosfmError, suggest

WAVELENGTHS = (443, 490, 560, 665, 705, 740, 783, 835, 865, 945, 1375, 1610, 2200)
"""Control wavelengths of the spectra below, nm; between them reflectance is linear."""

# Per cent reflectance of a closed, vigorous canopy, of clear water, or of the material.
_FULL = {
    "ocean": (2.8, 2.0, 1.3, 0.7, 0.6, 0.6, 0.5, 0.5, 0.5, 0.4, 0.2, 0.2, 0.2),
    "lake": (1.8, 1.7, 2.2, 1.2, 1.1, 1.0, 0.9, 0.8, 0.8, 0.6, 0.3, 0.3, 0.3),
    "river": (2.2, 2.4, 3.4, 2.2, 2.0, 1.6, 1.4, 1.2, 1.1, 0.8, 0.4, 0.4, 0.3),
    "cereal": (3.0, 3.5, 6.5, 3.5, 10, 30, 40, 44, 45, 45, 25, 20, 9),
    "maize": (3.0, 3.5, 7.0, 3.8, 11, 32, 42, 46, 47, 46, 26, 21, 10),
    "rapeseed": (3.5, 4.5, 11.5, 9.0, 15, 32, 42, 45, 46, 45, 28, 22, 11),
    "vegetable": (4.0, 4.5, 8.0, 5.0, 12, 28, 36, 39, 40, 40, 26, 22, 12),
    "rice": (3.0, 3.5, 6.0, 3.5, 9, 24, 30, 33, 34, 32, 16, 12, 6),
    "bare_field": (6.0, 8.0, 12, 17, 20, 22, 24, 27, 28, 31, 36, 38, 33),
    "grassland": (3.5, 4.0, 7.5, 5.0, 12, 26, 32, 35, 36, 36, 26, 22, 12),
    "pasture": (3.0, 3.6, 7.5, 4.2, 12, 29, 37, 41, 42, 42, 27, 22, 11),
    "orchard": (3.2, 3.8, 6.5, 4.5, 10, 25, 31, 35, 36, 36, 25, 20, 11),
    "vineyard": (3.5, 4.2, 7.0, 5.2, 11, 24, 30, 33, 34, 34, 26, 22, 13),
    "olive": (4.0, 4.8, 7.0, 6.0, 10, 19, 23, 26, 27, 28, 26, 23, 15),
    "conifer": (2.0, 2.3, 3.5, 2.4, 5.5, 14, 18, 20, 21, 21, 12, 9.0, 4.5),
    "broadleaf": (2.2, 2.6, 5.0, 2.8, 8.0, 26, 34, 38, 39, 38, 22, 17, 7.5),
    "mixed_forest": (2.1, 2.4, 4.2, 2.6, 6.7, 20, 26, 29, 30, 29, 17, 13, 6.0),
    "shrub": (3.0, 3.6, 6.0, 4.8, 9.5, 20, 24, 27, 28, 29, 24, 20, 11),
    "heath": (3.0, 3.5, 5.0, 5.0, 8.5, 15, 18, 21, 22, 23, 22, 19, 11),
    "wetland": (2.5, 3.0, 5.5, 4.0, 8.0, 20, 24, 27, 27, 25, 13, 10, 5.0),
    "sand": (12, 16, 24, 31, 34, 36, 38, 41, 42, 45, 50, 53, 48),
    "rock": (10, 11, 13, 15, 16, 17, 18, 19, 20, 21, 23, 24, 21),
    "snow": (88, 89, 89, 87, 86, 85, 84, 82, 81, 70, 15, 8.0, 6.0),
    "ice": (60, 62, 60, 54, 49, 45, 41, 36, 33, 20, 4.0, 3.0, 2.0),
    "bare_soil": (7.0, 9.0, 14, 20, 23, 25, 27, 30, 31, 34, 39, 41, 36),
    "asphalt": (7.0, 8.0, 9.5, 10.5, 11, 11.3, 11.7, 12.3, 12.5, 13, 15, 16, 15.5),
    "road": (9.0, 10.5, 12.5, 14, 15, 15.5, 16, 17, 17, 18, 20, 21, 20),
    "rail": (8.0, 9.0, 10.5, 12, 13, 13.5, 14, 15, 15, 16, 19, 20, 19),
    "roof_red": (5.5, 6.5, 9.5, 19, 24, 26, 27, 29, 30, 31, 33, 34, 30),
    "roof_grey": (9.0, 10, 11.5, 12.5, 13, 13.5, 14, 15, 15, 16, 18, 18, 17),
    "roof_bright": (30, 35, 38, 40, 41, 41, 42, 42, 42, 42, 42, 40, 35),
    "concrete": (14, 17, 20, 23, 24, 25, 26, 27, 27.5, 29, 33, 33, 30),
    "burned": (3.0, 3.3, 4.0, 5.0, 5.6, 6.5, 7.5, 8.5, 9.0, 11, 16, 20, 18),
    "flood": (4.0, 4.8, 6.5, 5.5, 5.2, 3.6, 3.2, 2.8, 2.6, 2.0, 0.8, 0.8, 0.6),
    "car": (14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 13, 12, 12),
    "greenhouse": (20, 24, 27, 28, 30, 34, 37, 40, 40, 38, 34, 30, 24),
}

COVERS: tuple[str, ...] = tuple(_FULL)
"""Cover names; ``Landscape.cover`` holds positions in this tuple."""

CODE: dict[str, int] = {name: code for code, name in enumerate(COVERS)}
"""Position of a cover in :data:`COVERS`."""

WATER = ("ocean", "lake", "river")
"""Permanent water."""

CROPS = ("cereal", "maize", "rapeseed", "vegetable", "rice")
"""Annual crops."""

FOREST = ("conifer", "broadleaf", "mixed_forest")
"""Closed stands of trees."""

ROOFS = ("roof_red", "roof_grey", "roof_bright")
"""Houses and halls."""

BUILDINGS = (*ROOFS, "greenhouse")
"""All that has walls."""

# What is seen where the canopy is open or dormant.
_STRAW = (6.0, 7.5, 11, 14, 17, 20, 22, 25, 26, 29, 33, 33, 24)
_BRANCHES = (3.5, 4.2, 6.0, 7.0, 9.5, 12, 14, 17, 18, 19, 22, 19, 12)
_NEEDLES = (2.4, 2.8, 3.9, 3.4, 5.6, 10, 12, 14, 15, 15, 13, 10, 5.5)
_MUD = (5.0, 7.0, 11.5, 13.5, 13, 9.5, 9.0, 8.5, 7.5, 5.0, 1.5, 1.5, 1.0)
_SOIL = _FULL["bare_field"]
_EMPTY = (
    dict.fromkeys((*CROPS, "orchard", "vineyard", "olive"), _SOIL)
    | dict.fromkeys(("grassland", "pasture", "wetland"), _STRAW)
    | dict.fromkeys(("broadleaf", "shrub", "heath"), _BRANCHES)
    | {"conifer": _NEEDLES, "mixed_forest": _BRANCHES}
    | dict.fromkeys((*WATER, "flood"), _MUD)
)
_SOILS = ("bare_field", "bare_soil", *CROPS, "orchard", "vineyard", "olive")
SOIL = np.array([name in _SOILS for name in COVERS])
"""(covers,) bool: whose dormant look is the scene's soil."""

# Share of the greatest vigour that never goes, day of the peak, half width in days.
_SEASON = {
    "cereal": (0.05, 140, 55), "maize": (0.02, 215, 50), "rapeseed": (0.10, 120, 55),
    "vegetable": (0.10, 190, 60), "rice": (0.05, 225, 50), "grassland": (0.40, 150, 80),
    "pasture": (0.55, 150, 90), "orchard": (0.25, 180, 75), "vineyard": (0.10, 205, 60),
    "olive": (0.75, 150, 90), "conifer": (0.85, 190, 90), "broadleaf": (0.12, 190, 75),
    "mixed_forest": (0.50, 190, 80), "shrub": (0.50, 170, 85), "heath": (0.50, 200, 80),
    "wetland": (0.30, 190, 80),
}  # fmt: skip
VEGETATION = tuple(_SEASON)
"""Covers whose look follows ``Landscape.vigour``."""

# VV and VH in dB.
_RADAR = {
    "ocean": (-19.0, -27.5), "lake": (-20.5, -28.0), "river": (-19.5, -27.0),
    "cereal": (-11.5, -18.0), "maize": (-9.5, -15.5), "rapeseed": (-9.5, -14.5),
    "vegetable": (-10.5, -17.5), "rice": (-10.5, -17.5), "bare_field": (-11.5, -20.5),
    "grassland": (-12.0, -18.8), "pasture": (-11.8, -18.3), "orchard": (-9.5, -15.2),
    "vineyard": (-10.0, -17.0), "olive": (-9.5, -15.8), "conifer": (-9.0, -14.5),
    "broadleaf": (-8.5, -14.0), "mixed_forest": (-8.7, -14.2), "shrub": (-10.5, -16.5),
    "heath": (-11.5, -17.5), "wetland": (-10.5, -17.8), "sand": (-17.5, -25.5),
    "rock": (-9.5, -17.5), "snow": (-14.0, -21.5), "ice": (-9.5, -16.5),
    "bare_soil": (-12.0, -20.5), "asphalt": (-15.5, -23.0), "road": (-15.0, -22.5),
    "rail": (-10.0, -18.0), "roof_red": (-4.5, -12.5), "roof_grey": (-4.0, -12.0),
    "roof_bright": (-2.5, -11.5), "concrete": (-11.0, -19.0), "burned": (-11.5, -19.5),
    "flood": (-17.5, -25.5), "car": (-4.0, -13.0), "greenhouse": (-8.0, -16.5),
}  # fmt: skip
RADAR = np.array([_RADAR[name] for name in COVERS], dtype=np.float32).T
"""(2, covers) float32 of backscatter in dB, VV then VH."""


def code(name: str) -> int:
    """Position of a cover in :data:`COVERS`.

    Raises:
        EosfmError: There is no such cover.
    """
    if name not in CODE:
        raise EosfmError(f"unknown cover {name!r}; {suggest(name, COVERS)}")
    return CODE[name]


def cover_mask(cover: np.ndarray, *names: str) -> np.ndarray:
    """(H, W) bool: where a map of positions in :data:`COVERS` shows one of the named covers.

    Raises:
        EosfmError: A name is unknown.
    """
    table = np.zeros(len(COVERS), dtype=bool)
    table[[code(name) for name in names]] = True
    return table[cover]


def legend(cover: np.ndarray, classes: Mapping[str, int], default: int | None = None) -> np.ndarray:
    """Name a cover map by a dataset's own classes.

    Args:
        cover: (H, W) uint8, positions in :data:`COVERS`.
        classes: Class index of each cover name.
        default: Class index of covers that ``classes`` leaves out.

    Returns:
        (H, W) uint8 class indices.

    Raises:
        EosfmError: A cover in the map has no class and there is no default, or a name is unknown.
    """
    unnamed = -1
    table = np.full(len(COVERS), unnamed if default is None else default)
    for name, index in classes.items():
        table[code(name)] = index
    missing = [COVERS[i] for i in np.unique(cover) if table[i] == unnamed]
    if missing:
        raise EosfmError(
            f"the legend has no class for {', '.join(missing)}; name them or give a default"
        )
    return table.astype(np.uint8)[cover]


def reflectance(curves: Iterable[Sequence[float]], wavelengths: np.ndarray) -> np.ndarray:
    """Curves of per cent at :data:`WAVELENGTHS` as (C, curves) float32 0 to 1 at C others, nm."""
    rows = [np.interp(wavelengths, WAVELENGTHS, curve) for curve in curves]
    return np.array(rows, dtype=np.float32).T / 100


def spectra(wavelengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance of every cover at C wavelengths in nm.

    Returns:
        Two (C, covers) float32 arrays of reflectance 0 to 1: full vigour (clear water), and
        dormant or open canopy (turbid water). Other covers are equal in both.
    """
    empty = (_EMPTY.get(name, curve) for name, curve in _FULL.items())
    return reflectance(_FULL.values(), wavelengths), reflectance(empty, wavelengths)


def phenology(doy: float) -> np.ndarray:
    """(covers,) float32 vigour on a day of the year in the northern mid-latitudes.

    It is 0 to 1, and 0 for covers that do not grow.
    """
    vigour = np.zeros(len(COVERS), dtype=np.float32)
    for name, (floor, peak, width) in _SEASON.items():
        away = (doy - peak + 182.5) % 365 - 182.5
        vigour[CODE[name]] = floor + (1 - floor) * np.exp(-((away / width) ** 2))
    return vigour


def codes(names: Iterable[str]) -> np.ndarray:
    """Positions of several covers, uint8."""
    return np.array([code(name) for name in names], dtype=np.uint8)
