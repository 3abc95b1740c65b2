"""Areas of classes, from pixels in a plane or on the ellipsoid."""

import csv

import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer
from rasterio.crs import CRS
from rasterio.transform import from_origin

from eosfm.core.errors import EosfmError
from eosfm.prediction.areas import COLUMNS, Areas
from eosfm.prediction.cut import Cut
from eosfm.prediction.grid import Grid
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions

HALF = np.repeat(np.array([[0], [1], [255]], np.uint8), (400, 300, 100), axis=0).repeat(50, axis=1)
"""A map (800, 50): 400 rows of a class, 300 of another, and 100 without."""


def hectares(crs, transform, values=HALF):
    areas = Areas(Grid(*values.shape, CRS.from_user_input(crs), transform))
    for start in range(0, len(values), 130):
        areas.add(values[start : start + 130])
    assert areas.pixels.sum() == values.size
    return areas.hectares[[0, 1, 255]]


def on_earth(crs, transform, rows, width=50):
    """The same by pyproj: the polygon around some rows, in hectares."""
    to = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    cols = np.linspace(0, width, 20)
    edge = [*((col, rows[0]) for col in cols), *((col, rows[1]) for col in cols[::-1])]
    lon, lat = to.transform(*np.array([transform @ at for at in edge]).T)
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0]) / 10_000


@pytest.mark.parametrize(
    ("crs", "metres"), [("EPSG:32633", 1.0), ("EPSG:2263", 1200 / 3937), ("EPSG:3035", 1.0)]
)
def test_in_a_plane_pixels_have_the_size_that_the_file_tells(crs, metres):
    place = from_origin(*((4.3e6, 3e6) if crs == "EPSG:3035" else (5e5, 2e5)), 10, 10)
    expected = np.array([400, 300, 100]) * 50 * (10 * metres) ** 2 / 10_000
    np.testing.assert_allclose(hectares(crs, place), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("crs", "place"),
    [
        ("EPSG:4326", from_origin(11.3, 62.0, 0.001, 0.01)),
        ("EPSG:4326", from_origin(179.99, -1.0, 0.001, 0.01)),
        ("EPSG:3857", from_origin(1.2e6, 9e6, 300, 300)),
        ("EPSG:3857", from_origin(1.2e6, 4e6, 10_000, 10_000)),  # its middle is true to size
    ],
)
def test_where_pixels_differ_by_latitude_areas_are_those_on_the_earth(crs, place):
    found = hectares(crs, place)
    for area, rows in zip(found, ((0, 400), (400, 700), (700, 800)), strict=True):
        assert area == pytest.approx(on_earth(crs, place, rows), rel=1e-4)


def test_around_a_pole_pixels_of_a_row_differ_too():
    """A map of Antarctica: a disc around the pole, a ring around that, and nothing beyond."""
    place = from_origin(-3e6, 3e6, 30_000, 30_000)
    places = (np.arange(200) - 99.5) * 30_000
    away = np.hypot(places[:, None], places)
    values = np.select([away < 1e6, away < 3e6], [0, 1], 255).astype(np.uint8)
    found = hectares("EPSG:3031", place, values)
    around = Transformer.from_crs("EPSG:3031", "EPSG:4326", always_xy=True)
    angles = np.linspace(0, 2 * np.pi, 2000)

    def disc(radius):
        circle = around.transform(radius * np.sin(angles), radius * np.cos(angles))
        return abs(Geod(ellps="WGS84").polygon_area_perimeter(*circle)[0]) / 10_000

    # The discs of pixels are not round: the ratio of areas is compared with that of the plane.
    inner, outer = ((away < radius).sum() * 9e8 / (np.pi * radius**2) for radius in (1e6, 3e6))
    assert found[0] == pytest.approx(disc(1e6) * inner, rel=2e-3)
    assert found[0] + found[1] == pytest.approx(disc(3e6) * outer, rel=2e-3)


@pytest.mark.parametrize(
    ("crs", "expected"),
    [("+proj=ortho +lat_0=0 +lon_0=0", 200.0), ("IAU_2015:30100", None)],
)
def test_a_place_that_is_not_on_the_earth_stops_no_map(crs, expected):
    areas = Areas(Grid(800, 50, CRS.from_user_input(crs), from_origin(9e6, 9e6, 10, 10)))
    areas.add(HALF)
    assert (areas.hectares if expected is None else areas.hectares[0]) == expected


def test_the_table_of_a_map_counts_what_is_in_it(
    fitted_file, artifact, write_scene, mosaic, tmp_path, call
):
    image = mosaic[0].copy()
    image[:, :20, 100:] = 0
    scene, out, table = write_scene(image, nodata=0), tmp_path / "map.tif", tmp_path / "areas.csv"
    words = ("predict", scene, "--task", fitted_file("segmentation")[0], "--artifact", artifact,
             "-o", out, "--areas", table, "--window", 32, "--overlap", 0)  # fmt: skip
    assert call(*words)[0] == 0
    status, line, _ = call(*words)
    assert status == 0
    with rasterio.open(out) as raster:
        found = raster.read(1)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS and {row["map"] for row in rows} == {str(out)}
    assert [row["class"] for row in rows] == ["dark", "bright", "no prediction"]
    for row in rows:
        there = found == int(row["value"])
        assert int(row["pixels"]) == there.sum() and float(row["hectares"]) == there.sum() / 100
    assert float(rows[1]["share"]) == pytest.approx((found == 1).sum() / (found != 255).sum(), 1e-5)
    assert rows[2]["share"] == "" and int(rows[2]["pixels"]) == 20 * 60
    assert f"bright {float(rows[1]['share']):.1%} ({float(rows[1]['hectares']):.3g} ha)" in line


def test_without_a_reference_system_there_are_pixels_and_shares_alone(
    fitted_file, artifact, write_scene, mosaic, tmp_path
):
    table = tmp_path / "areas.csv"
    line = predict(
        fitted_file("segmentation")[0], artifact, [write_scene(mosaic[0], crs=None)],
        tmp_path / "map.tif", ReadOptions(), Cut(32, 0, "cpu"), areas=table,
    )  # fmt: skip
    assert " ha" not in line
    *classes, none = table.read_text().splitlines()[1:]
    assert all(row.endswith(",") and not row.endswith(",,") for row in classes)
    assert none.endswith(",255,no prediction,0,,")


@pytest.mark.parametrize(
    ("task", "more"),
    [("regression", {}), ("segmentation", {"probabilities": True}), ("classification", {})],
)
def test_what_has_no_classes_in_pixels_has_no_areas(
    fitted_file, artifact, write_scene, mosaic, tmp_path, task, more
):
    out = tmp_path / ("x.csv" if task == "classification" else "x.tif")
    with pytest.raises(EosfmError, match="--areas is for maps of classes; leave it out"):
        predict(
            fitted_file(task)[0], artifact, [write_scene(mosaic[0])], out, ReadOptions(),
            Cut(32, None, "cpu"), areas=tmp_path / "areas.csv", **more,
        )  # fmt: skip
    assert not out.exists()
