"""A scene's files: units, what was not measured, grids."""

import shutil

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from eosfm.core.errors import EosfmError
from eosfm.prediction.scene import ReadOptions, open_scene
from eosfm.prediction.series import dates_in

RGB = ("red", "green", "blue")


def test_a_fourth_band_of_eight_bits_is_no_opacity_where_it_has_a_name(write_scene):
    pixels = np.full((4, 8, 8), 90, np.uint8)
    pixels[3, :4] = 0
    for nir, unmeasured in (("nir", 0), (None, 4)):
        path = write_scene(pixels, descriptions=(*RGB, nir), photometric="RGB", alpha="YES")
        with rasterio.open(path) as raster:
            assert raster.colorinterp[3] is ColorInterp.alpha
        scene = open_scene(path, RGB, None)
        assert np.isnan(scene.read(0, 0, 8, 8)[0, :, 0]).sum() == unmeasured
    named = open_scene(path, RGB, None, ReadOptions((*RGB, "nir")))
    assert not np.isnan(named.read(0, 0, 8, 8)).any()


def test_opacity_beside_any_number_of_bands_is_a_mask(write_scene):
    pixels = np.full((5, 8, 8), 900, np.uint16)
    pixels[4, :4] = 0
    names = (*RGB, "nir")
    path = write_scene(pixels, descriptions=(*names, None))
    with rasterio.open(path, "r+") as raster:
        raster.colorinterp = [ColorInterp.gray, *[ColorInterp.undefined] * 3, ColorInterp.alpha]
    for otherwise in (None, 0.0):
        values = open_scene(path, names, None, otherwise=otherwise).read(0, 0, 8, 8)
        assert np.isnan(values[:, :4]).all()
        assert (values[:, 4:] == 900).all()
    named = open_scene(path, names, None, ReadOptions((*names, "B11")))
    assert not np.isnan(named.read(0, 0, 8, 8)).any()


def test_a_folder_of_single_bands_is_a_scene(write_scene, tmp_path):
    for value, band in enumerate(("B02", "B03", "B8A")):
        pixels = np.full((1, 8, 8), value, np.uint16)
        write_scene(pixels, name=f"x/T33UUP_{band}.tif", descriptions=None)
    (tmp_path / "x" / "._T33UUP_B02.tif").write_bytes(b"\0\5\x16\7")  # as macOS leaves beside it
    scene = open_scene(str(tmp_path / "x"), ("B8A", "blue"), None)
    assert scene.read(0, 0, 8, 8)[:, 0, 0].tolist() == [2, 0]


def test_files_on_different_grids_are_refused(write_scene, tmp_path):
    write_scene(np.zeros((1, 8, 8), np.uint16), name="x/B02.tif", descriptions=None)
    other = from_origin(400_005, 5_000_000, 10, 10)
    write_scene(np.zeros((1, 8, 8), np.uint16), name="x/B03.tif", descriptions=None,
                transform=other)  # fmt: skip
    corners = "is on another grid .*, from 400005 5000000.*, from 400000 5000000"
    with pytest.raises(EosfmError, match=f"B03.tif {corners}"):
        open_scene(str(tmp_path / "x"), ("B02", "B03"), None)


def test_declared_scales_lead_to_the_unit(write_scene):
    pixels = np.full((3, 8, 8), 2000, np.uint16)
    path = write_scene(pixels, scales=(1e-4,) * 3)
    read = {unit: open_scene(path, RGB, (unit,) * 3).read(0, 0, 8, 8)[0, 0, 0]
            for unit in ("reflectance_1e4", "dn16", "m")}  # fmt: skip
    assert read == pytest.approx({"reflectance_1e4": 2000, "dn16": 2000, "m": 0.2})
    doubled = open_scene(path, RGB, ("dn16",) * 3, ReadOptions(scale=2.0))
    assert doubled.read(0, 0, 8, 8)[0, 0, 0] == 4000
    moved = open_scene(path, RGB, ("reflectance_1e4",) * 3, ReadOptions(scale=0.5, offset=-1000))
    assert moved.read(0, 0, 8, 8)[0, 0, 0] == pytest.approx(0)


def test_what_was_not_measured_is_nan(write_scene):
    pixels = np.full((3, 8, 8), 7, np.uint8)
    pixels[:, 0, :] = 0  # in all bands
    pixels[1, 4, :] = 0  # in one
    everywhere = np.broadcast_to((pixels == 0).all(axis=0), pixels.shape)
    declared = open_scene(write_scene(pixels, nodata=0), RGB, None).read(0, 0, 8, 8)
    np.testing.assert_array_equal(np.isnan(declared), everywhere)  # 0 is also a value
    other = np.where(pixels, pixels, 99).astype(np.uint8)
    clear = open_scene(write_scene(other, name="clear.tif", nodata=99), RGB, None).read(0, 0, 8, 8)
    np.testing.assert_array_equal(np.isnan(clear), pixels == 0)
    white = np.where(pixels, pixels, 255).astype(np.uint8)
    roofs = open_scene(write_scene(white, name="white.tif", nodata=255), RGB, None)
    np.testing.assert_array_equal(np.isnan(roofs.read(0, 0, 8, 8)), everywhere)
    path = write_scene(pixels, name="silent.tif")
    silent = open_scene(path, RGB, None, ReadOptions(nodata=0.0)).read(0, 0, 8, 8)
    np.testing.assert_array_equal(np.isnan(silent), everywhere)
    assert not np.isnan(open_scene(path, RGB, None).read(0, 0, 8, 8)).any()


def test_what_no_unit_has_is_a_gap_that_nothing_declares(write_scene):
    pixels = np.full((1, 8, 8), 900, np.float32)
    pixels[0, 0, :4] = -3.4e38, 1e20, 9.96921e36, np.inf
    scene = open_scene(write_scene(pixels, descriptions=("B02",)), ("B02",), None)
    assert np.isnan(scene.read(0, 0, 8, 8)).sum() == 4


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
@pytest.mark.parametrize("told", [(0, 0, 0), (0, None, None), (None, None, 0)])
def test_zero_is_a_value_unless_all_bands_have_it_however_files_hold_them(
    write_scene, tmp_path, told, dtype
):
    pixels = np.full((3, 8, 8), 7, dtype)
    pixels[:, 0, :] = 0  # in all bands
    pixels[2, 4, :] = 0  # in one: of cirrus
    for number, nodata in enumerate(told):
        write_scene(pixels[[number]], f"x/B0{number + 2}.tif", (None,), nodata=nodata)
    scene = open_scene(str(tmp_path / "x"), ("B02", "B03", "B04"), None, ReadOptions(nodata=0.0))
    everywhere = np.broadcast_to((pixels == 0).all(axis=0), pixels.shape)
    np.testing.assert_array_equal(np.isnan(scene.read(0, 0, 8, 8)), everywhere)


def test_one_date_of_sentinel_2_has_pixels_of_several_sizes(write_scene, tmp_path):
    """As in IMG_DATA of a SAFE: each band as it is finest, coarser ones between their pixels."""
    fine = np.arange(256, dtype=np.uint16).reshape(1, 16, 16) + 100
    coarse = np.full((1, 8, 8), 700, np.uint16)
    coarse[0, :2] = 0  # a value, where other bands were measured
    name = "IMG_DATA/{0}/T30UYV_20210501T104629_{1}_{0}.tif"
    ten, twenty = (from_origin(400_000, 5_000_000, side, side) for side in (10, 20))
    write_scene(fine, name.format("R10m", "B02").replace("_R10m", "_10m"), (None,), transform=ten)
    for band in ("B02", "B11"):
        file = name.format("R20m", band).replace("_R20m", "_20m")
        write_scene(coarse, file, (None,), transform=twenty, nodata=0)
    path = str(tmp_path / "IMG_DATA")
    values = open_scene(path, ("B11", "B02"), None).read(0, 0, 16, 16)
    assert (values[1] == fine[0]).all() and (values[0, 5:] == 700).all()
    assert (values[0, :3] == 0).all()
    assert open_scene(path, ("B11",), None).grid.size == (8, 8)
    for file in (tmp_path / "IMG_DATA").rglob("*.tif"):  # places that are lost join nothing
        copy = tmp_path / "lost" / file.relative_to(tmp_path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(file) as raster:
            write_scene(raster.read(), str(copy), (None,), crs=None, transform=Affine.identity())
    with pytest.raises(EosfmError, match="is on another grid"):
        open_scene(str(tmp_path / "lost/IMG_DATA"), ("B11", "B02"), None)
    safe = tmp_path / "S2A_MSIL2A_20210501T104629.SAFE"
    (safe / "GRANULE" / "L2A_T30UYV").mkdir(parents=True)
    (tmp_path / "IMG_DATA").rename(safe / "GRANULE" / "L2A_T30UYV" / "IMG_DATA")
    whole = open_scene(str(safe), ("B11", "B02"), None)
    assert (whole.read(0, 0, 16, 16) == values).all()
    renamed = shutil.copytree(safe, tmp_path / "lost" / "of another name")
    assert (open_scene(str(renamed), ("B11", "B02"), None).read(0, 0, 16, 16) == values).all()
    shutil.rmtree(tmp_path / "lost")
    assert dates_in(str(tmp_path), ("B11",), None) == [(str(safe), "2021-05-01")]


def test_scale_and_offset_leave_decibels_beside_reflectance_alone(write_scene):
    pixels = np.stack([np.full((8, 8), -12.0), np.full((8, 8), 3000.0)]).astype(np.float32)
    path = write_scene(pixels, descriptions=("vv", "B04"))
    both = open_scene(path, ("vv", "B04"), ("db", "reflectance_1e4"), ReadOptions(offset=-1000.0))
    assert both.read(0, 0, 8, 8)[:, 0, 0].tolist() == [-12, 2000]
    embedded = open_scene(path, ("vv", "B04"), None, ReadOptions(scale=0.5))
    assert embedded.read(0, 0, 8, 8)[:, 0, 0].tolist() == [-12, 1500]
    radar = open_scene(path, ("vv",), ("db",), ReadOptions(offset=-1.0))
    assert radar.read(0, 0, 8, 8)[0, 0, 0] == -13
    path = write_scene(pixels + 20, "high.tif", descriptions=("height", "red"))
    high = open_scene(path, ("height", "red"), ("m", "dn8"), ReadOptions(scale=2.0))
    assert high.read(0, 0, 8, 8)[:, 0, 0].tolist() == [8, 6040]
    high = open_scene(path, ("height", "red"), None, ReadOptions(scale=2.0))
    assert high.read(0, 0, 8, 8)[:, 0, 0].tolist() == [8, 6040]


def test_a_mask_hides_its_own_file_alone(write_scene, tmp_path):
    pixels, mask = np.full((1, 8, 8), 7, np.float64), np.full((8, 8), 255, np.uint8)
    mask[:, :3] = 0
    other = pixels.copy()
    other[0, 5] = -9999
    write_scene(other, "x/B03.tif", (None,), nodata=-9999)
    with rasterio.open(write_scene(pixels, "x/B02.tif", (None,)), "r+") as raster:
        raster.write_mask(mask)
    values = open_scene(str(tmp_path / "x"), ("B02", "B03"), None).read(0, 0, 8, 8)
    np.testing.assert_array_equal(np.isnan(values[0]), mask == 0)
    np.testing.assert_array_equal(np.isnan(values[1]), other[0] == -9999)


def test_beyond_the_scene_its_ends_are_repeated(write_scene):
    pixels = np.arange(192, dtype=np.uint8).reshape(3, 8, 8)
    scene = open_scene(write_scene(pixels), RGB, None)
    np.testing.assert_array_equal(
        scene.read(4, 6, 6, 5), np.pad(pixels[:, 4:, 6:], ((0, 0), (0, 2), (0, 3)), mode="edge")
    )


def test_no_raster_is_refused(tmp_path):
    (tmp_path / "x.tif").write_text("no")
    for path, told in (("x.tif", "cannot be read as a raster"), ("y.tif", "not found; give a")):
        with pytest.raises(EosfmError, match=told):
            open_scene(str(tmp_path / path), RGB, None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(EosfmError, match="has no raster"):
        open_scene(str(tmp_path / "empty"), RGB, None)


def test_zero_that_means_a_gap_is_one_in_radar_and_below_an_offset(write_scene):
    """Of images, 0 may be a value (of cirrus): there all image channels must have it."""
    pixels = np.full((4, 8, 8), -12.0, np.float32)
    pixels[:, 0] = 0  # all channels
    pixels[:2, 1] = 0  # the radar
    pixels[2:, 2] = 0  # the image
    pixels[2, 3] = 0  # a part of the image
    pixels[2:, 4, :] = np.array([np.nan, 0])[:, None]
    names = ("vv", "vh", "red", "nir")
    path = write_scene(pixels, descriptions=names, nodata=0)
    for units in (("db", "db", "dn16", "dn16"), None):
        missing = np.isnan(open_scene(path, names, units).read(0, 0, 8, 8))[:, :, 0]
        assert missing[0].tolist() == missing[1].tolist() == [True, True, *[False] * 6]
        assert missing[2].tolist() == missing[3].tolist()
        assert missing[2].tolist() == [True, False, True, False, True, *[False] * 3]
    moved = open_scene(
        path, ("red", "nir"), ("reflectance_1e4",) * 2, ReadOptions(scale=2.75e-1, offset=-2000)
    )
    missing = np.isnan(moved.read(0, 0, 8, 8))[:, :, 0]
    assert missing[0].tolist() == [True, False, True, True, True, *[False] * 3]
    assert missing[1].tolist() == [True, False, True, False, True, *[False] * 3]


def test_a_sample_shows_what_lies_between_its_windows(write_scene):
    """A scene that is measured in a corner of its extent is judged by that corner."""
    pixels = np.full((3, 1500, 1500), np.nan, np.float32)
    pixels[0] = 30
    pixels[1:, 100:160, 1100:1160] = np.arange(60) + 1
    sample = open_scene(write_scene(pixels), RGB, None).sample()
    measured = ~np.isnan(sample)
    assert measured.any(axis=1).all()
    assert 1 <= sample[measured].min() <= sample[measured].max() <= 60
    small = open_scene(write_scene(pixels[:, :200, :100] + 1), RGB, None)
    assert small.sample().shape[1] == 4 * 2 * 64 * 64
