"""Pixel grids: size, CRS and transform of rasters, and their alignment."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError

SAME = 1e-3
"""Tolerance in pixels within which two grids are the same."""

DEGREE = 111_320.0
"""Metres per degree at the equator."""

WGS84 = "EPSG:4326"
"""Degrees of longitude and latitude."""

Bounds = tuple[float, float, float, float]
"""West, south, east and north in degrees, as in GeoJSON and STAC."""

UNITS = {"metre": "m", "degree": "degrees"}
"""Display names of CRS units."""


@dataclass(frozen=True)
class Grid:
    """The pixel grid of a raster.

    Attributes:
        height: Rows.
        width: Columns.
        crs: CRS as rasterio has it; None without georeference.
        transform: Affine transform from pixels to the CRS.
    """

    height: int
    width: int
    crs: Any
    transform: Any

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def side(self) -> float:
        """Side of a pixel, in the unit of the CRS."""
        return float(abs(self.transform.determinant) ** 0.5)

    @property
    def metres(self) -> float | None:
        """Approximate side of a pixel in metres; None without a place on the Earth."""
        if not self.crs:
            return None
        x, y = self.transform @ (self.width / 2, self.height / 2)
        if not self.crs.is_geographic:
            return self.side * float(self.crs.units_factor[1]) / _stretch(self.crs, x, y)
        latitude = y
        if abs(latitude) > 90:  # such as metres that a file calls degrees
            return None
        return self.side * DEGREE * float(np.cos(np.radians(latitude))) ** 0.5

    def same(self, other: "Grid") -> bool:
        """Whether both have the same pixels, within :data:`SAME`."""
        if self.size != other.size or self.crs != other.crs:
            return False
        moved = ~self.transform @ other.transform
        corners = [(0, 0), (self.width, 0), (self.width, self.height)]
        return all(np.abs(np.subtract(moved @ xy, xy)).max() <= SAME for xy in corners)

    def part(self, bounds: Bounds, path: str) -> tuple["Grid", tuple[int, int]]:
        """The pixels that cover bounds, and the row and column where they begin.

        Args:
            bounds: Parts beyond the grid are left out.
            path: Name of the raster, for messages.

        Raises:
            EosfmError: There is no georeference on the Earth, or the bounds are elsewhere.
        """
        from rasterio._err import CPLE_BaseError
        from rasterio.errors import RasterioError
        from rasterio.transform import array_bounds
        from rasterio.warp import transform_bounds

        if not self.crs:
            raise EosfmError(f"{path} has no georeference; leave --bounds out")
        whole = array_bounds(self.height, self.width, self.transform)
        try:
            west, south, east, north = transform_bounds(self.crs, WGS84, *whole)
        except (RasterioError, CPLE_BaseError):  # a local system, or another planet
            raise EosfmError(
                f"{path} is in a system of coordinates without degrees on the Earth; leave "
                "--bounds out"
            ) from None
        there = f"{west:.5g} {south:.5g} {east:.5g} {north:.5g}"
        if west > east:  # across 180 degrees
            west, east = -180.0, 180.0
        # Degrees may go on beyond 180, where those of the bounds begin again at -180.
        turns = (-360.0, 0.0, 360.0) if self.crs.is_geographic else (0.0,)
        corners = []
        for turn in turns:
            # The part near the grid alone: a CRS may have no coordinates for places far from it.
            near = (max(bounds[0] + turn, west), max(bounds[1], south),
                    min(bounds[2] + turn, east), min(bounds[3], north))  # fmt: skip
            if near[0] < near[2] and near[1] < near[3]:
                left, bottom, right, top = transform_bounds(WGS84, self.crs, *near)
                corners += [~self.transform @ (x, y) for x in (left, right) for y in (bottom, top)]
        height = width = 0
        if corners:
            cols, rows = np.array(corners).T
            first = [max(0, floor(side.min() + SAME)) for side in (rows, cols)]
            last = [min(most, ceil(side.max() - SAME))
                    for most, side in zip(self.size, (rows, cols), strict=True)]  # fmt: skip
            height, width = (end - start for start, end in zip(first, last, strict=True))
        if min(height, width) <= 0:
            raise EosfmError(
                f"{path} does not reach into --bounds {' '.join(f'{side:.5g}' for side in bounds)};"
                f" it lies within {there}; correct them, or take another scene"
            )
        moved = self.transform @ self.transform.translation(first[1], first[0])
        return Grid(height, width, self.crs, moved), (first[0], first[1])

    def polygon(self, left: float, top: float, right: float, bottom: float) -> Any:
        """A box in pixel coordinates as a shapely polygon in the CRS."""
        from shapely import Polygon

        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return Polygon([self.transform @ corner for corner in corners])

    def layer(self, table: Any, places: Sequence[Any]) -> Any:
        """A table with a polygon of the CRS per row, as a geopandas frame."""
        import geopandas

        crs = self.crs.to_wkt() if self.crs else None
        return geopandas.GeoDataFrame(table, geometry=list(places), crs=crs)

    def __str__(self) -> str:
        """Size, pixel size and CRS."""
        size = f"{self.height}x{self.width} px"
        if not self.crs:
            return f"{size} without georeference"
        unit = self.crs.units_factor[0]
        side = f"{self.side:.3g} {UNITS.get(unit, unit)}"
        return f"{size} of {side} in {self.crs.to_string()}"

    def placed(self) -> str:
        """As ``str``, with the transform's origin."""
        return f"{self}, from {self.transform.c:.10g} {self.transform.f:.10g}"


def common_grid(grids: Sequence[tuple[str, Grid]]) -> Grid:
    """The one grid of rasters or scenes, each given with its path.

    Raises:
        EosfmError: The grids differ.
    """
    (first, grid), *others = grids
    for path, other in others:
        if not grid.same(other):
            raise EosfmError(
                f"{path} is on another grid ({other.placed()}) than {first} ({grid.placed()}); "
                "resample one of them"
            )
    return grid


def _stretch(crs: Any, x: float, y: float) -> float:
    """How much longer a plane shows what is around a point: twice at 60 degrees on web maps."""
    from pyproj import Proj
    from pyproj.exceptions import ProjError

    if not crs.is_projected:
        return 1.0
    try:
        plane = Proj(crs.to_wkt())
        areal = plane.get_factors(*plane(x, y, inverse=True, errcheck=True)).areal_scale
    except ProjError:  # beyond the projection
        return 1.0
    return float(areal) ** 0.5 if 0 < areal < np.inf else 1.0


def grid_of(raster: Any) -> Grid:
    """The grid of an open raster, without its CRS if it has no transform.

    Raises:
        EosfmError: It has ground control points, but no transform.
    """
    if raster.transform.is_identity and raster.gcps[0]:
        raise EosfmError(
            f"{raster.name} has {len(raster.gcps[0])} ground control points and no grid; expected "
            "a raster in a system of coordinates; warp it first, as by `gdalwarp -r bilinear`"
        )
    crs = None if raster.transform.is_identity else raster.crs
    return Grid(raster.height, raster.width, crs, raster.transform)


def on_finest(rasters: Sequence[Any], nodata: Sequence[float | None]) -> list[Any]:
    """Warp rasters bilinearly to the grid of the one with the smallest pixels.

    Gaps, and pixels beyond a raster, keep the raster's own marking or get the given nodata value;
    if neither applies, an added alpha band is 0 there.

    Args:
        rasters: Open rasters.
        nodata: Nodata value of each, used if it declares none.
    """
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    grid = min(map(grid_of, rasters), key=lambda one: one.metres or one.side)
    on_grid: dict[str, Any] = vars(grid) | {"resampling": Resampling.bilinear}
    seen = []
    for raster, told in zip(rasters, nodata, strict=True):
        if grid.same(grid_of(raster)):
            seen.append(raster)
            continue
        flags = {flag.name for flags in raster.mask_flag_enums for flag in flags}
        options: dict[str, Any] = {"add_alpha": True}
        if flags == {"nodata"} or "alpha" in flags:
            options = {}
        elif flags == {"all_valid"} and told is not None and _holds(raster, told):
            options = {"src_nodata": told, "nodata": told}
        seen.append(WarpedVRT(raster, **on_grid, **options))
    return seen


def _holds(raster: Any, value: float) -> bool:
    from rasterio.dtypes import in_dtype_range

    return all(in_dtype_range(value, dtype) for dtype in raster.dtypes)
