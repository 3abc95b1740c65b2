"""Where the pixels of a scene lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError

SAME = 1e-3
"""Pixels by which two grids may differ."""

UNITS = {"metre": "m", "degree": "degrees"}
"""What is said of the unit of a reference system."""


@dataclass(frozen=True)
class Grid:
    """Where pixels lie.

    Attributes:
        height: Rows.
        width: Columns.
        crs: rasterio's; None without georeference.
        transform: rasterio's, from pixels to the CRS.
    """

    height: int
    width: int
    crs: Any
    transform: Any

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def same(self, other: "Grid") -> bool:
        """Whether pixels lie on each other."""
        if self.size != other.size or self.crs != other.crs:
            return False
        moved = ~self.transform @ other.transform
        corners = [(0, 0), (self.width, 0), (self.width, self.height)]
        return all(np.abs(np.subtract(moved @ xy, xy)).max() <= SAME for xy in corners)

    def __str__(self) -> str:
        """Size, reference system and pixel size."""
        size = f"{self.height}x{self.width} px"
        if not self.crs:
            return f"{size} without georeference"
        unit = self.crs.units_factor[0]
        side = f"{abs(self.transform.a):.3g} {UNITS.get(unit, unit)}"
        return f"{size} of {side} in {self.crs.to_string()}"

    def placed(self) -> str:
        """The same, and the corner with which it begins."""
        return f"{self}, from {self.transform.c:.10g} {self.transform.f:.10g}"


def expect_same(first: str, grid: Grid, path: str, other: Grid) -> None:
    """Refuse a raster whose pixels do not lie on those of the first.

    Raises:
        EosfmError: They do not.
    """
    if not grid.same(other):
        raise EosfmError(
            f"{path} is on another grid ({other.placed()}) than {first} ({grid.placed()}); "
            "resample one of them"
        )


def grid_of(raster: Any) -> Grid:
    """Where an open raster's pixels lie."""
    return Grid(raster.height, raster.width, raster.crs, raster.transform)


def on_finest(rasters: Sequence[Any]) -> list[Any]:
    """Rasters as seen on the grid of the one with the smallest pixels."""
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    finest = min(rasters, key=lambda raster: abs(raster.transform.a))
    grid = grid_of(finest)
    return [
        raster if grid.same(grid_of(raster)) else WarpedVRT(
            raster, crs=grid.crs, transform=grid.transform, height=grid.height, width=grid.width,
            resampling=Resampling.bilinear,
        )
        for raster in rasters
    ]  # fmt: skip
