"""A part of a scene: its grid, its pixels, its map."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine, array_bounds, from_origin
from rasterio.warp import transform_bounds

from eosfm.core.errors import EosfmError
from eosfm.prediction.cut import Cut
from eosfm.prediction.grid import WGS84, Grid
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions, open_scene
from tests.fixtures.scenes import PLACE

RGB = ("red", "green", "blue")
WHOLE = Grid(96, 160, rasterio.CRS.from_epsg(32633), PLACE["transform"])


def degrees(rows: slice, cols: slice, grid: Grid = WHOLE) -> tuple[float, float, float, float]:
    """Bounds within which pixels lie: a little less than theirs, as the sides are no meridians."""
    moved = grid.transform @ Affine.translation(cols.start + 0.2, rows.start + 0.2)
    size = rows.stop - rows.start - 0.4, cols.stop - cols.start - 0.4
    west, south, east, north = transform_bounds(grid.crs, WGS84, *array_bounds(*size, moved))
    return west, south, east, north


@pytest.mark.parametrize("transform", [PLACE["transform"], from_origin(4e5, 5e6, 10, -10)])
def test_pixels_are_those_within_the_bounds(transform):
    grid = Grid(96, 160, WHOLE.crs, transform)
    part, (row, col) = grid.part(degrees(slice(32, 64), slice(20, 90), grid), "a.tif")
    assert 31 <= row <= 32 and 19 <= col <= 20
    assert 64 <= row + part.height <= 66 and 90 <= col + part.width <= 92
    assert part.transform @ (0, 0) == pytest.approx(transform @ (col, row))
    edge, (row, col) = grid.part(degrees(slice(80, 200), slice(-50, 500), grid), "a.tif")
    assert (row + edge.height, col, edge.width) == (96, 0, 160)
    assert 70 <= row <= 80  # wide bounds reach further, as north is not up


def test_bounds_on_the_borders_of_pixels_hold_these_pixels_alone():
    grid = Grid(100, 100, rasterio.CRS.from_epsg(4326), from_origin(10, 50, 0.1, 0.1))
    part, place = grid.part((10.5, 49.3, 11.1, 49.8), "a.tif")
    assert (part.size, place) == ((5, 6), (2, 5))


@pytest.mark.parametrize("cols", [slice(20, 40), slice(300, 320)])
def test_a_grid_across_180_degrees_has_parts_on_either_side(cols):
    crs = rasterio.CRS.from_epsg(32660)  # at 60 degrees north, 180 degrees are at 667 km
    grid = Grid(96, 340, crs, from_origin(665_000, 6_655_000, 10, 10))
    bounds = degrees(slice(32, 64), cols, grid)
    assert (bounds[0] < 0) == (cols.start == 300)
    part, (row, col) = grid.part(bounds, "a.tif")
    assert abs(row - 32) < 3 and abs(col - cols.start) < 3
    assert abs(part.height - 32) < 5 and abs(part.width - 20) < 5


@pytest.mark.parametrize("west", [179.5, -180.5])
@pytest.mark.parametrize(
    ("bounds", "cols"),
    [
        ((179.6, -90, 179.8, 90), slice(1, 3)),
        ((-179.9, -90, -179.7, 90), slice(6, 8)),
        ((-180, -90, 180, 90), slice(0, 10)),
    ],
)
def test_degrees_beyond_180_are_those_of_the_other_side(west, bounds, cols):
    grid = Grid(20, 10, rasterio.CRS.from_epsg(4326), from_origin(west, -17, 0.1, 0.1))
    part, place = grid.part(bounds, "a.tif")
    assert (part.size, place) == ((20, cols.stop - cols.start), (0, cols.start))


def test_a_part_is_read_with_what_is_around_it(write_scene, mosaic):
    path = write_scene(mosaic[0])
    whole = open_scene(path, RGB, None)
    bounds = degrees(slice(32, 64), slice(100, 130))
    part = open_scene(path, RGB, None, ReadOptions(bounds=bounds))
    row, col = part._origin
    np.testing.assert_array_equal(part.read(2, 3, 8, 9), whole.read(row + 2, col + 3, 8, 9))
    around = part.read(0, 0, 96, 96)  # beyond the bounds, and beyond the scene
    np.testing.assert_array_equal(around, whole.read(row, col, 96, 96))
    assert part.identity() != whole.identity()
    assert part.sample().size < whole.sample().size


def test_a_part_is_mapped(fitted_file, artifact, write_scene, mosaic, tmp_path):
    """Its windows see what the whole map's do, where these are the same."""
    task, scene = fitted_file("segmentation")[0], write_scene(mosaic[0])
    cut = Cut(32, 0, "cpu")
    for name, bounds in {"whole": None, "part": degrees(slice(33, 95), slice(65, 128))}.items():
        options = ReadOptions(bounds=bounds)
        line = predict(task, artifact, [scene], tmp_path / f"{name}.tif", options, cut)
    with rasterio.open(tmp_path / "whole.tif") as one, rasterio.open(tmp_path / "part.tif") as two:
        window = one.window(*two.bounds).round()
        assert two.transform == pytest.approx(one.window_transform(window))
        assert f"{two.height}x{two.width} px" in line and two.height < 70
        assert (one.read(window=window) == two.read()).mean() > 0.9


def test_the_whole_world_is_the_whole_scene(write_scene, mosaic):
    scene = open_scene(write_scene(mosaic[0]), RGB, None, ReadOptions(bounds=(-180, -90, 180, 90)))
    assert scene.grid == open_scene(scene.path, RGB, None).grid


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((13.0, 45.0, 13.1, 45.1), "does not reach into --bounds 13 45 13.1 45.1; it lies within"),
        ((100.0, -5.0, 110.0, 5.0), "does not reach into --bounds 100 -5 110 5"),
        ((13.1, 45.0, 13.0, 45.1), "--bounds are 13.1 45 13 45.1; expected west, south, east and"),
        ((4e5, 5e6, 4.1e5, 5.1e6), "--bounds are 400000 5e.06 410000 5.1e.06; expected west"),
    ],
)
def test_other_bounds_are_refused(write_scene, mosaic, bounds, message):
    with pytest.raises(EosfmError, match=message):
        open_scene(write_scene(mosaic[0]), RGB, None, ReadOptions(bounds=bounds))


def test_bounds_need_a_georeference(write_scene, mosaic):
    path = write_scene(mosaic[0], crs=None, transform=Affine.identity())
    with pytest.raises(EosfmError, match="has no georeference; leave --bounds out"):
        open_scene(path, RGB, None, ReadOptions(bounds=(13.0, 45.0, 13.1, 45.1)))


def test_bounds_need_a_place_on_the_earth():
    """Drones and laboratories have systems of their own."""
    crs = rasterio.CRS.from_wkt('LOCAL_CS["arbitrary",UNIT["metre",1]]')
    with pytest.raises(EosfmError, match="without degrees on the Earth; leave --bounds out"):
        Grid(9, 9, crs, from_origin(0, 9, 1, 1)).part((13.0, 45.0, 13.1, 45.1), "a.tif")
