"""Targets that are published as colours, boxes or polygons, by window."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.gdal import expect_plain_images
from eosfm.datasets.native.raster import moved, read_bands
from eosfm.datasets.native.spec import Size, Transform, Window

NO_CLASS = 254
"""Stands for a corner of the RGB cube that is no class until it is reported."""
PIXELS: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""For polygons in pixels."""


def read_colors(
    classes: Mapping[tuple[int, int, int], int],
    tolerance: int,
    path: Path,
    size: Size,
    window: Window,
) -> np.ndarray:
    """Class indices (h, w) uint8 of a mask whose colours, corners of the RGB cube, are classes.

    Args:
        classes: Class of each colour, whose channels are 0 or 255.
        tolerance: How far a channel may be from 0 or 255, up to 127, which allows all: a mask
            that was saved with loss is slightly off its colours.
        path: The mask.
        size: Rows and columns of its image.
        window: What to read.

    Raises:
        EosfmError: The mask is damaged or of another size, or a colour is of no class.
    """
    mask = read_bands(path, window, 3, size)
    table = np.full(8, NO_CLASS, np.uint8)
    for color, index in classes.items():
        table[_corner(np.array(color))] = index
    target = table[_corner(mask)]
    strange = (np.minimum(mask, 255 - mask) > tolerance).any(axis=0) | (target == NO_CLASS)
    if strange.any():
        row, col = np.argwhere(strange)[0]
        raise EosfmError(
            f"{path} has the colour {tuple(mask[:, row, col].tolist())} at row {window.row + row}, "
            f"column {window.col + col}, which is no class; fetch the file again, as its publisher "
            "gives it"
        )
    return target


def _corner(color: np.ndarray) -> np.ndarray:
    """The corner of the RGB cube, 0 to 7, that colours (3, ...) are nearest to."""
    bright = (color > 127).astype(np.uint8)
    return bright[0] * 4 + bright[1] * 2 + bright[2]


def boxes_in(boxes: np.ndarray, size: Size, window: Window) -> np.ndarray:
    """Boxes whose middle lies in a window, cut to it: an object belongs to one window alone.

    Args:
        boxes: (n, 5) rows of x_min, y_min, x_max, y_max, class in the scene's pixels.
        size: Height and width of the scene.
        window: Rectangle in pixels.

    Returns:
        (m, 5) float32 rows in the window's pixels.

    Raises:
        EosfmError: One has corners that are no numbers, or the second before the first, or lies
            outside the scene, as where labels are of another size of image.
    """
    boxes = boxes.astype(np.float32)
    wrong = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:4] < boxes[:, :2]).any(axis=1)
    if wrong.any():
        raise EosfmError(
            f"a box of {' '.join(f'{side:g}' for side in boxes[wrong][0, :4])}; expected x_min, "
            "y_min, x_max, y_max in pixels (COCO gives width and height); check the labels"
        )
    outside = (boxes[:, 2:4] < 0).any(axis=1) | (boxes[:, :2] > size[::-1]).any(axis=1)
    if outside.any():
        raise EosfmError(
            f"a box of {' '.join(f'{side:g}' for side in boxes[outside][0, :4])} in an image of "
            f"{size[1]} columns and {size[0]} rows; expected pixels of this image; check whether "
            "the labels are of another size"
        )
    limits = np.array([window.width, window.height], np.float32)
    boxes[:, :4] -= np.array([window.col, window.row] * 2, np.float32)
    middle = (boxes[:, :2] + boxes[:, 2:4]) / 2
    inside = ((middle >= 0) & (middle < limits)).all(axis=1)
    boxes[:, :4] = np.clip(boxes[:, :4], 0, np.tile(limits, 2))
    return boxes[inside]


def draw_polygons(
    polygons: Sequence[Any],
    values: Sequence[int],
    window: Window,
    path: Path,
    transform: Transform = PIXELS,
) -> np.ndarray:
    """Draw polygons, later ones over earlier ones.

    Args:
        polygons: Shapely geometries in the reference system of the image.
        values: What to draw each with, 1 to 255.
        window: The part of the image to draw.
        path: Their file, for errors.
        transform: Affine coefficients of the whole image.

    Returns:
        (h, w) uint8: the value of the polygon that covers the pixel's middle, 0 where none does.

    Raises:
        EosfmError: One is no polygon, is empty, or has corners that are no numbers; or its value is
            another number; or polygons are in degrees and the image is not, or the other way round.
    """
    from affine import Affine
    from rasterio.features import rasterize

    expect_plain_images()
    shape = (window.height, window.width)
    for polygon in polygons:
        kind = getattr(polygon, "geom_type", "nothing")
        if not kind.endswith("Polygon") or not np.isfinite(polygon.bounds).all():
            raise EosfmError(
                f"{path} has a {kind} that covers no pixel; expected polygons with finite corners; "
                "fetch the file again"
            )
    if wrong := [value for value in values if value not in range(1, 256)]:
        raise EosfmError(
            f"{path} has a polygon of value {wrong[0]}; expected whole numbers from 1 to 255 (0 is "
            "where there is none); let the reader map its codes to them"
        )
    if not polygons:
        return np.zeros(shape, np.uint8)
    here = moved(transform, window)
    if transform != PIXELS:
        _expect_one_system(polygons, here, shape, path)
    return rasterize(
        list(zip(polygons, values, strict=True)),
        out_shape=shape,
        transform=Affine(*here),
        dtype="uint8",
    )


def _expect_one_system(polygons: Sequence[Any], here: Transform, size: Size, path: Path) -> None:
    """Refuse GeoJSON's degrees for an image in metres, of which nothing would be drawn.

    Args:
        polygons: Shapely geometries, at least one.
        here: From the pixels of a window to the reference system of its image.
        size: Rows and columns of the window.
        path: The polygons' file, for the error.
    """
    from affine import Affine

    corners = [Affine(*here) * (col, row) for row in (0, size[0]) for col in (0, size[1])]
    image = (*np.min(corners, axis=0), *np.max(corners, axis=0))
    bounds = np.array([polygon.bounds for polygon in polygons])
    drawn = (*bounds[:, :2].min(axis=0), *bounds[:, 2:].max(axis=0))
    if (_in_degrees(drawn) and _beyond_degrees(image)) or (
        _in_degrees(image) and _beyond_degrees(drawn)
    ):
        near, there = (", ".join(f"{side:.6g}" for side in box[:2]) for box in (drawn, image))
        raise EosfmError(
            f"{path} has polygons from {near} on, and the image begins at {there}; expected both "
            "in one reference system, and GeoJSON is in degrees unless it says otherwise; let the "
            "reader transform the polygons (`to_crs` of geopandas)"
        )


def _in_degrees(box: Sequence[float]) -> bool:
    """Whether a box of x_min, y_min, x_max, y_max may be of longitudes and latitudes."""
    return box[0] >= -180 and box[1] >= -90 and box[2] <= 180 and box[3] <= 90


def _beyond_degrees(box: Sequence[float]) -> bool:
    """Whether nothing of a box can be."""
    return box[0] > 180 or box[1] > 90 or box[2] < -180 or box[3] < -90
