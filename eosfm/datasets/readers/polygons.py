"""Labels that are published as polygons, drawn onto an image's grid."""

from collections.abc import Sequence

import numpy as np

from eosfm.datasets.readers.raster import expect_plain_images
from eosfm.datasets.spec import Window

Transform = tuple[float, float, float, float, float, float]

PIXELS: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""For polygons in pixels."""


def draw_polygons(
    polygons: Sequence[object],
    values: Sequence[int],
    window: Window,
    transform: Transform = PIXELS,
) -> np.ndarray:
    """Draw polygons, later ones over earlier ones.

    Args:
        polygons: Shapely geometries in the reference system of the image.
        values: What to draw each with, 1 to 255.
        window: The part of the image to draw.
        transform: Affine coefficients of the whole image.

    Returns:
        (h, w) uint8: the value of the polygon that covers the pixel's middle, 0 where none does.
    """
    from affine import Affine
    from rasterio.features import rasterize

    expect_plain_images()

    row, col, *shape = window
    a, b, c, d, e, f = transform
    if not polygons:
        return np.zeros(shape, np.uint8)
    return rasterize(
        list(zip(polygons, values, strict=True)),
        out_shape=shape,
        transform=Affine(a, b, c + a * col + b * row, d, e, f + d * col + e * row),
        dtype="uint8",
    )
