"""The area of each class of a map, counted while the map is written."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.files import atomic
from eosfm.prediction.grid import WGS84, Grid

HECTARE = 10_000.0
"""Square metres."""
AXIS, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""Of the WGS84 ellipsoid: half of its longer axis in metres, and how much shorter the other is."""
TRUE = 0.01
"""Relative error of a plane's areas from which they are taken on the ellipsoid instead."""
EVEN = 1e-4
"""Relative difference within a row up to which its pixels count as alike."""
COLS = 33
"""Columns between which areas are interpolated."""
WHOLE = 100
"""Hectares from which no fractions are printed."""
UNKNOWN = 255
"""Nodata value of a class map."""
NONE = "no prediction"
"""Name of the row of pixels without a prediction."""
COLUMNS = ("map", "value", "class", "pixels", "share", "hectares")


class Areas:
    """Pixels and hectares by class of one map.

    Attributes:
        pixels: (256,) number of pixels by value.
        hectares: (256,) their area; None without a place on the Earth.
    """

    def __init__(self, grid: Grid) -> None:
        self.pixels = np.zeros(UNKNOWN + 1, np.int64)
        self._cols, self._each, self._row = *_pixels(grid), 0
        self.hectares = None if self._each is None else np.zeros(UNKNOWN + 1)

    def add(self, values: np.ndarray) -> None:
        """Count the next rows (n, W) of a map."""
        counts = np.array([np.bincount(row, minlength=UNKNOWN + 1) for row in values])
        self.pixels += counts.sum(axis=0)
        if self.hectares is not None and self._each is not None:
            each = self._each[self._row : self._row + len(values)]
            if len(self._cols) > 1:
                places = np.arange(values.shape[1]) + 0.5
                sizes = (np.interp(places, self._cols, row) for row in each)
                areas = map(partial(np.bincount, minlength=UNKNOWN + 1), values, sizes)
                self.hectares += np.sum(list(areas), axis=0) / HECTARE
            else:
                self.hectares += counts.T @ each[:, 0] / HECTARE
        self._row += len(values)

    def told(self, value: int) -> str:
        """A value's area, as it stands after its share; empty without georeference."""
        if self.hectares is None:
            return ""
        area = self.hectares[value]
        return f" ({area:,.0f} ha)" if area >= WHOLE else f" ({area:.3g} ha)"

    def rows(self, path: Path, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Rows of the table: the classes, and last what has none."""
        known = self.pixels[:UNKNOWN].sum()
        for value, name in [*enumerate(classes), (UNKNOWN, NONE)]:
            share = self.pixels[value] / known if known and value != UNKNOWN else None
            area = None if self.hectares is None else round(float(self.hectares[value]), 4)
            told = None if share is None else round(float(share), 6)
            row = (path, value, name, self.pixels[value], told, area)
            yield dict(zip(COLUMNS, row, strict=True))


def write_areas(out: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write the table of areas."""
    with atomic(out) as beside, beside.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)


def _pixels(grid: Grid) -> tuple[np.ndarray, np.ndarray | None]:
    """Some columns (S,), and the area (H, S) of a pixel there, in square metres.

    It is one column, the middle, where a row's pixels are alike; and no area without a place on the
    Earth.
    """
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    middle = np.array([grid.width / 2])
    if not grid.crs:
        return middle, None
    flat = np.full((grid.height, 1), float(grid.side * grid.crs.units_factor[1]) ** 2)
    if not (grid.crs.is_geographic or grid.crs.is_projected):
        return middle, flat
    cols = np.linspace(0.5, grid.width - 0.5, COLS)
    rows = np.arange(grid.height)
    try:
        # Planes around a pole differ within a row as well.
        ends = [_on_ellipsoid(grid, rows, col) for col in (cols[0], middle[0], cols[-1])]
        if np.ptp(ends, axis=0).max() > EVEN * np.max(ends):
            true = np.stack([_on_ellipsoid(grid, rows, col) for col in cols], axis=1)
        else:
            cols, true = middle, ends[1][:, None]
    except (RasterioError, CPLE_BaseError):  # beyond the projection, or on another planet
        true = np.zeros((grid.height, 1))
    known = bool((np.isfinite(true) & (true > 0)).all())
    if grid.crs.is_geographic:
        return cols, true if known else None
    # Such as the plane of web maps, which grows towards the poles.
    if known and bool((np.abs(flat / true - 1) > TRUE).any()):
        return cols, true
    return middle, flat


def _on_ellipsoid(grid: Grid, rows: np.ndarray, col: float) -> np.ndarray:
    """(n,) area of the pixels of rows around a column, in square metres."""
    from rasterio.warp import transform

    cols = col + np.array([-0.5, 0.5, 0.5, -0.5])
    ends = rows[:, None] + np.array([0, 0, 1, 1])
    to = grid.transform
    x, y = to.a * cols + to.b * ends + to.c, to.d * cols + to.e * ends + to.f
    corners = np.radians(transform(grid.crs, WGS84, x.ravel().tolist(), y.ravel().tolist()))
    east, north = corners.reshape(2, len(rows), 4)
    across = (np.stack([east[:, 2] - east[:, 0], east[:, 3] - east[:, 1]]) + np.pi) % (2 * np.pi)
    up = north[:, 2] - north[:, 0], north[:, 3] - north[:, 1]
    one, two = across - np.pi
    angles = np.abs(one * up[1] - two * up[0]) / 2
    # A square radian at a latitude: the product of the ellipsoid's two radii there.
    squared = FLATTENING * (2 - FLATTENING)
    middle = np.clip(north.mean(axis=1), -np.pi / 2, np.pi / 2)
    radii = AXIS**2 * (1 - squared) * np.cos(middle) / (1 - squared * np.sin(middle) ** 2) ** 2
    return np.asarray(angles * radii)
