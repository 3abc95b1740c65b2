"""How large pixels are."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.transform import from_origin

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.raster import read_header
from eosfm.prediction.grid import DEGREE, Grid, grid_of
from eosfm.prediction.predict import of_other_size
from eosfm.prediction.scene import open_scene

UTM, DEGREES, FEET = CRS.from_epsg(32633), CRS.from_epsg(4326), CRS.from_epsg(2263)
WEB = CRS.from_epsg(3857)


@pytest.mark.parametrize(
    ("crs", "north", "side", "metres"),
    [(UTM, 5e6, 10.0, 10.0), (FEET, 2e5, 2.0, 0.6096), (DEGREES, 0.5, 1e-3, 111.3),
     (DEGREES, 60.5, 1e-3, 78.7), (WEB, 5e3, 10.0, 10.0), (WEB, 8399737.9 + 1e4, 20.0, 10.0)],
)  # fmt: skip
def test_a_side_in_metres(crs, north, side, metres):
    west = {UTM: 5e5, FEET: 9.8e5}.get(crs, 10.0)
    grid = Grid(1000, 1000, crs, from_origin(west, north, side, side))
    assert grid.metres == pytest.approx(metres, rel=0.001)


def test_without_georeference_nobody_knows():
    grid = Grid(8, 8, None, from_origin(0, 0, 1, 1))
    assert grid.metres is None and of_other_size(grid, 10.0) == ""


def test_metres_that_a_file_calls_degrees_are_no_place_on_the_earth():
    for north in (5e6, 5_000_100.0, 5_000_180.0):
        grid = Grid(8, 8, DEGREES, from_origin(5e5, north, 10.0, 10.0))
        assert grid.metres is None and of_other_size(grid, 10.0) == ""


@pytest.mark.parametrize(("side", "told"), [(0.5, True), (9.0, False), (15.0, False), (30.0, True)])
def test_pixels_of_another_size_than_those_of_the_training_are_told(side, told):
    grid = Grid(8, 8, UTM, from_origin(5e5, 5e6, side, side))
    said = f"; its pixels are of {side:.3g} m, those learnt from of 10 m: resample it"
    assert of_other_size(grid, 10.0) == (said if told else "")
    degrees = Grid(8, 8, DEGREES, from_origin(10.0, 0.0, side / DEGREE, side / DEGREE))
    assert of_other_size(degrees, 10.0) == (said if told else "")


def test_control_points_alone_are_refused(write_scene):
    path = write_scene(np.zeros((3, 8, 8), np.uint8), crs=None, transform=None)
    corners = ((0, 0, 8, 46), (0, 8, 9, 46), (8, 0, 8, 45))
    points = [GroundControlPoint(row, col, x, y) for row, col, x, y in corners]
    with rasterio.open(path, "r+") as raster:
        raster.gcps = points, rasterio.CRS.from_epsg(4326)
    with rasterio.open(path) as raster, pytest.raises(EosfmError, match="3 ground control points"):
        grid_of(raster)


def test_a_system_without_a_place_in_it_is_no_georeference(write_scene):
    """As in the files of MADOS."""
    path = write_scene(
        np.zeros((1, 240, 240), np.uint16), descriptions=("B04",), crs=DEGREES,
        transform=Affine.identity(),
    )  # fmt: skip
    grid = open_scene(path, ("B04",), None).grid
    assert grid.crs is None and of_other_size(grid, 10.0) == ""
    header = read_header(Path(path), 1, None)
    assert (header.crs, header.transform) == (None, None)
