"""Urban Atlas land use of simulated landscapes: what MiniFrance and DFC2022 share."""

from pathlib import Path

import numpy as np

from eosfm.datasets.native.urbanatlas import NO_INFORMATION, Sheet
from eosfm.simulation import Key, Landscape, Simulation, observe
from eosfm.simulation.covers import CROPS, FOREST, ROOFS, WATER, legend
from eosfm.simulation.images import write_geotiff

CRS = "EPSG:2154"
"""Lambert 93."""

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
BLOCK_M = 50.0  # Urban Atlas draws built-up land as blocks, not as houses: about this wide


def write_sheet(
    simulation: Simulation, key: Key, sheet: Sheet, image: Path, label: Path
) -> Landscape:
    """Write the orthophoto and label of a sheet, the ``key[-1]``-th of its split.

    Returns:
        The landscape that they show.
    """
    index = int(key[-1])
    turn = index + index // len(THEMES)  # so that no theme has one season, or always an edge
    land = simulation.draw(key, THEMES[index % len(THEMES)], doy=130 + 35 * (turn % 4))
    colors = observe(land, key, ("red", "green", "blue"), units="dn8").image
    for path, pixels in ((image, colors), (label, land_use(land, turn)[None])):
        write_geotiff(path, pixels, simulation.gsd, origin(sheet), CRS)
    return land


def sheet_name(sheet: Sheet) -> str:
    """The stem of an orthophoto's file name."""
    return f"{sheet.department}-2013-{sheet.easting:04d}-{sheet.northing:04d}-LA93-0M50-E080"


def origin(sheet: Sheet) -> tuple[float, float]:
    """Easting and northing of a sheet's upper left corner in metres."""
    return sheet.easting * 1000.0, sheet.northing * 1000.0


def land_use(land: Landscape, turn: int) -> np.ndarray:
    """The label (H, W) uint8 of a simulated orthophoto.

    The gardens and streets among houses are urban fabric, the yards among halls are industrial
    units. In every fourth orthophoto the mapped area ends before the image does.
    """
    from scipy.ndimage import uniform_filter

    classes = legend(land.cover, LEGEND)
    width = max(3, round(BLOCK_M / land.gsd))
    houses, roofs = (land.shows(*names).astype(np.float32) for names in (("roof_red",), ROOFS))
    built = (uniform_filter(roofs, width) > 0.08) & np.isin(classes, (1, 2, 3, 5, 7, 10, 11))
    # A quarter is one or the other as a whole: where few roofs are tiled, they are halls.
    homely = uniform_filter(houses, 5 * width) > 0.2 * uniform_filter(roofs, 5 * width)
    classes[built] = np.where(homely, 1, 2)[built]
    if turn % 4 == 3:
        classes[:, -land.size[1] // 8 :] = NO_INFORMATION
    return classes
