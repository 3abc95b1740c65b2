"""Urban Atlas 2012 land use on French orthophotos: what MiniFrance and DFC2022 share."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.catalog.shared.geotiff import read_bands
from eosfm.catalog.spec import Window
from eosfm.errors import EosfmError
from eosfm.simulation import (
    CROPS,
    FOREST,
    ROOFS,
    WATER,
    Landscape,
    cover_mask,
    draw_landscape,
    legend,
)

CRS = "EPSG:2154"
"""Lambert 93."""

CLASSES = (
    "no information",
    "urban fabric",
    "industrial, commercial, public, military, private and transport units",
    "mine, dump and construction sites",
    "artificial non-agricultural vegetated areas",
    "arable land (annual crops)",
    "permanent crops",
    "pastures",
    "complex and mixed cultivation patterns",
    "orchards at the fringe of urban classes",
    "forests",
    "herbaceous vegetation associations",
    "open spaces with little or no vegetation",
    "wetlands",
    "water",
    "clouds and shadows",
)
NO_INFORMATION = 0

LEGEND = {
    **dict.fromkeys(("roof_red", "car"), 1),
    **dict.fromkeys(("roof_grey", "roof_bright", "asphalt", "road", "rail", "concrete"), 2),
    "bare_soil": 3,
    **dict.fromkeys((*CROPS, "bare_field", "greenhouse"), 5),
    **dict.fromkeys(("orchard", "vineyard", "olive"), 6),
    "pasture": 7,
    **dict.fromkeys(FOREST, 10),
    **dict.fromkeys(("grassland", "shrub", "heath"), 11),
    **dict.fromkeys(("sand", "rock", "snow", "ice", "burned"), 12),
    "wetland": 13,
    **dict.fromkeys((*WATER, "flood"), 14),
}
"""Cover of the simulated Earth to class."""

THEMES = ("village", "cropland", "coast", "residential", "forest", "orchard", "industrial", "river")
BLOCK_M = 50.0
"""Urban Atlas draws built-up land as blocks, not as houses: about this wide."""


class Sheet(NamedTuple):
    """What the name of an orthophoto says.

    Attributes:
        department: Number of the French département, 06 for Nice's.
        easting: Of the upper left corner in Lambert 93, km.
        northing: Likewise.
    """

    department: str
    easting: int
    northing: int


def parse_sheet(path: Path, dataset: str) -> Sheet:
    """Read the name of an orthophoto, for example ``06-2014-1007-6318-LA93-0M50-E080.tif``.

    Raises:
        EosfmError: The name is of another form.
    """
    match = re.match(r"(\d{2}|2[AB])-\d{4}-(\d{4})-(\d{4})-LA93-0M50-E080\.", path.name)
    if not match:
        raise EosfmError(
            f"{dataset}: {path} is named otherwise than "
            "<department>-<year>-<easting>-<northing>-LA93-0M50-E080.tif; fetch it again, or "
            "remove it"
        )
    return Sheet(match[1], int(match[2]), int(match[3]))


def sheet_name(sheet: Sheet) -> str:
    """The stem of an orthophoto's file name."""
    return f"{sheet.department}-2013-{sheet.easting:04d}-{sheet.northing:04d}-LA93-0M50-E080"


def read_image(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    """A window of an orthophoto: (1, 3, h, w) uint8 red, green, blue."""
    return read_bands(path, window, 3, size)[None]


def read_classes(path: Path, size: tuple[int, int], dataset: str, window: Window) -> np.ndarray:
    """A window of a label: (h, w) uint8 class indices.

    Raises:
        EosfmError: The file is damaged, has another size than its image or holds no classes.
    """
    classes = read_bands(path, window, 1, size)[0]
    if classes.max() >= len(CLASSES):
        raise EosfmError(
            f"{dataset}: {path} holds class {classes.max()}; expected 0 to {len(CLASSES) - 1}; "
            "use the dataset's own labels, not coloured ones"
        )
    return classes.astype(np.uint8)


def draw(key: tuple[int | str, ...], size: int, gsd: float, index: int) -> Landscape:
    """The landscape of the ``index``-th simulated orthophoto of a split."""
    doy = 130 + 35 * (index % 4)
    return draw_landscape(key, (size, size), gsd, THEMES[index % len(THEMES)], doy)


def land_use(land: Landscape, index: int) -> np.ndarray:
    """The label (H, W) uint8 of a simulated orthophoto.

    The gardens and streets among houses are urban fabric, the yards among halls are industrial
    units. In every fourth orthophoto the mapped area ends before the image does.
    """
    from scipy.ndimage import uniform_filter

    classes = legend(land.cover, LEGEND)
    width = max(3, round(BLOCK_M / land.gsd))
    houses, roofs = (
        cover_mask(land.cover, *names).astype(np.float32) for names in (("roof_red",), ROOFS)
    )
    built = (uniform_filter(roofs, width) > 0.08) & np.isin(classes, (1, 2, 3, 5, 7, 10, 11))
    # A quarter is one or the other as a whole: where few roofs are tiled, they are halls.
    homely = uniform_filter(houses, 5 * width) > 0.2 * uniform_filter(roofs, 5 * width)
    classes[built] = np.where(homely, 1, 2)[built]
    if index % 4 == 3:
        classes[:, -land.size[1] // 8 :] = NO_INFORMATION
    return classes
