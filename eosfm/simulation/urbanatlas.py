"""Urban Atlas land use of simulated landscapes: what MiniFrance and DFC2022 share."""

import numpy as np

from eosfm.datasets.readers.urbanatlas import NO_INFORMATION
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
