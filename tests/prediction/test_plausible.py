"""Values of another unit than is declared."""

import re

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.prediction.plausible import check_values, note_missing
from eosfm.prediction.scene import ReadOptions, open_scene

RGB = ("red", "green", "blue")


def values(unit, low, high, dtype="float32"):
    rng = np.random.default_rng(0)
    return unit, rng.uniform(low, high, (3, 32, 32)).astype(dtype)


@pytest.mark.parametrize(
    ("unit", "pixels", "advice"),
    [(*values("reflectance_1e4", 0, 0.6), "--scale 10000"),
     (*values("reflectance_1e4", 0, 255, "uint8"), "--scale 10000"),
     (*values("reflectance_1e4", 0, 65535), "expected surface"),
     (*values("dn8", 0, 1), "--scale 255"), (*values("dn8", 0, 3000), "0 to 255"),
     (*values("dn16", 0, 1), "--scale 65535"),
     (*values("db", 0, 0.4), "10 log10"), (*values("m", 0, 20_000), "metres")],
)  # fmt: skip
def test_values_of_other_units_are_refused(write_scene, unit, pixels, advice):
    scene = open_scene(write_scene(pixels), RGB, (unit,) * 3)
    with pytest.raises(EosfmError, match=f"has values of .* to .*; .*{advice}"):
        check_values(scene, (unit,) * 3)


def test_a_value_of_missing_pixels_is_not_taken_for_another_unit(write_scene):
    pixels = np.full((3, 32, 32), 900, np.int16)
    pixels[:, :4] = -9999
    path = write_scene(pixels)
    units = ("reflectance_1e4",) * 3
    with pytest.raises(EosfmError, match=r"of -9999 to 900; .*the least marks .*--nodata"):
        check_values(open_scene(path, RGB, units), units)
    check_values(open_scene(path, RGB, units, ReadOptions(nodata=-9999.0)), units)


@pytest.mark.parametrize(("value", "offset"), [(-9999, 0), (32767, -1000)])
def test_a_few_impossible_values_are_noted(write_scene, value, offset):
    pixels = np.full((3, 32, 32), 2900, np.int16)
    pixels[1, 0, :5] = value
    scale = 2.0 if offset else 1.0
    scene = open_scene(write_scene(pixels), RGB, None, ReadOptions(scale=scale, offset=offset))
    note = check_values(scene, ("reflectance_1e4",) * 3)
    assert f"hold {value}, which counts as measured: if it marks missing pixels, add" in note


@pytest.mark.parametrize(
    ("unit", "pixels"),
    [values("reflectance_1e4", 100, 3000, "uint16"), values("dn8", 0, 255, "uint8"),
     values("dn16", 100, 2000, "uint16"), values("db", -30, 2), values("m", 0, 30),
     ("reflectance_1e4", np.full((3, 32, 32), np.nan, np.float32))],
)  # fmt: skip
def test_values_of_the_unit_pass(write_scene, unit, pixels):
    check_values(open_scene(write_scene(pixels), RGB, (unit,) * 3), (unit,) * 3)


def test_one_picture_among_measurements_is_refused(write_scene, tmp_path):
    rng = np.random.default_rng(0)
    write_scene(rng.integers(0, 255, (1, 32, 32), np.uint8), "x/red.tif", (None,))
    for name in ("green", "blue"):
        pixels = rng.integers(100, 3000, (1, 32, 32), dtype=np.uint16)
        write_scene(pixels, f"x/{name}.tif", (None,))
    units = ("reflectance_1e4",) * 3
    with pytest.raises(EosfmError, match="--scale 10000"):
        check_values(open_scene(str(tmp_path / "x"), RGB, units), units)


def test_an_empty_band_hides_no_other(write_scene):
    pixels = np.random.default_rng(0).uniform(0, 0.4, (3, 32, 32)).astype(np.float32)
    pixels[2] = np.nan
    units = ("reflectance_1e4",) * 3
    with pytest.raises(EosfmError, match="--scale 10000"):
        check_values(open_scene(write_scene(pixels), RGB, units), units)


def test_eight_bits_that_are_scaled_may_be_dark(write_scene):
    pixels = np.full((3, 32, 32), 20, np.uint8)
    pixels[2] = 3
    units = ("reflectance_1e4",) * 3
    check_values(open_scene(write_scene(pixels), RGB, units, ReadOptions(scale=39.2)), units)


@pytest.mark.parametrize("value", [-9_000, 60_000])
def test_one_band_out_of_range_is_refused(write_scene, value):
    unit, pixels = values("reflectance_1e4", 100, 3000)
    pixels[1] = value
    with pytest.raises(EosfmError, match="expected surface"):
        check_values(open_scene(write_scene(pixels), RGB, (unit,) * 3), (unit,) * 3)


@pytest.mark.parametrize(
    ("share", "options", "note"),
    [(0.25, {}, "; about 25% of the pixels of .*scene.tif are 0 in all bands .*, give --nodata 0$"),
     (0.25, {"nodata": 9}, "; about 25% .*gdal_edit.py -a_nodata 0 on its files$"),
     (0.25, {"nodata": 0}, "$"), (0.03, {}, "$")],
)  # fmt: skip
def test_many_zeros_that_nothing_marks_are_noted(write_scene, share, options, note):
    unit, pixels = values("dn8", 10, 255, "uint8")
    pixels[:, :, : round(32 * share)] = 0
    pixels[0, :, -8:] = 0  # a value of one band
    scene = open_scene(write_scene(pixels, **options), RGB, (unit,) * 3, ReadOptions(offset=3))
    assert re.match(note, check_values(scene, (unit,) * 3))


def test_numbers_of_landsat_under_another_name_are_noted(write_scene):
    unit, pixels = values("reflectance_1e4", 7_600, 19_000, "uint16")
    units, path = (unit,) * 3, write_scene(pixels, nodata=0)
    assert "add --scale 0.275 --offset -2000" in check_values(open_scene(path, RGB, units), units)
    scaled = open_scene(path, RGB, units, ReadOptions(scale=0.275, offset=-2000))
    assert check_values(scaled, units) == ""


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0, ""), (1e-6, "; under 1%"), (0.25, "; 25%"), (0.9999, "; over 99%"), (1.0, "; 100%")],
)
def test_a_share_is_not_rounded_to_none_or_all(share, told):
    assert note_missing(share) == (f"{told} without a measurement" if told else "")
