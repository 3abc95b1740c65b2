"""A scene's files: bands by name, units, what was not measured, grids."""

import shutil

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from eosfm.core.bands import band_name
from eosfm.core.errors import EosfmError
from eosfm.prediction.names import parse_bands
from eosfm.prediction.plausible import check_values
from eosfm.prediction.scene import named_bands, open_scene
from eosfm.prediction.series import dates_in

RGB = ("red", "green", "blue")


@pytest.mark.parametrize(
    ("text", "band"),
    [("B02", "B02"), ("b8a", "B8A"), ("B4, central wavelength 665 nm", "B04"), ("Red", "red"),
     ("VV", "vv"), ("nir08 (865 nm)", "B8A"), ("swir16", "B11"), ("Blue", "blue"), ("B10", "B10"),
     ("gray", None), ("Red Edge 1", "B05"), ("red-edge", None),
     ("Near Infra-Red", None), ("B8_10m", "B08"),
     ("", None), (None, None), ("B99", None), ("quality", None)],
)  # fmt: skip
def test_descriptions_are_understood(text, band):
    assert band_name(text) == band


@pytest.mark.parametrize(
    ("name", "band"),
    [("T33UUP_20200501T100031_B04_10m.tif", "B04"),
     ("HLS.S30.T10SEH.2018245T185921.v2.0.B8A.tif", "B8A"),
     ("HLS.L30.T10SEH.2018245T185921.v2.0.B05.tif", "B8A"),
     ("LC08_L2SP_192024_20200501_20200820_02_T1_SR_B4.TIF", "B04"),
     ("LC08_L2SP_192024_20200501_20200820_02_T1_SR_B6.TIF", "B11"),
     ("LC09_L2SP_192024_20220501_20220820_02_T1_ST_B10.TIF", None),
     ("LC08_L1TP_192024_20200501_20200820_02_T1_B8.TIF", None),
     ("LE07_L2SP_192024_20000501_20200820_02_T1_SR_B4.TIF", "B8A"),
     ("LE07_L2SP_192024_20000501_20200820_02_T1_SR_B1.TIF", "B02"),
     ("LC08_mosaic_swir16.tif", "B11"), ("LC08_mosaic_red.tif", "red"), ("red_tide_a.tif", "red"),
     ("LC08_mosaic.tif", None)],
)  # fmt: skip
def test_a_sensor_s_own_numbers_are_understood_in_names_of_files(write_scene, name, band):
    path = write_scene(np.zeros((1, 8, 8), np.uint16), name, descriptions=None)
    assert named_bands(path) == [band]


def test_one_image_is_not_taken_for_two(write_scene):
    path = write_scene(np.zeros((2, 8, 8), np.float32), descriptions=("vv", "vh"))
    assert open_scene(path, ("vv", "vh", "vh"), None).channels[2].index == 2
    assert open_scene(path, ("vv_desc",), None).channels[0].index == 1
    with pytest.raises(EosfmError, match="has vv alone, and vv_desc is wanted beside it"):
        open_scene(path, ("vv", "vh", "vv_desc", "vh_desc"), None)


def test_bands_that_a_user_names():
    assert parse_bands(["B02,B03", "B8A"]) == ("B02", "B03", "B8A")
    assert parse_bands(["B2", "b8a", "Red", "vv", "vh", "vh"]) == (
        "B02", "B8A", "red", "vv", "vh", "vh",
    )  # fmt: skip
    assert parse_bands(None) is None
    with pytest.raises(EosfmError, match="unknown band 'B99'"):
        parse_bands(["B99"])


def test_bands_are_taken_by_meaning_in_the_order_wanted(write_scene):
    pixels = np.arange(3)[:, None, None] * np.ones((3, 8, 8), np.uint8)
    path = write_scene(pixels, descriptions=("B02", "B03", "B04"))
    scene = open_scene(path, RGB, ("dn8",) * 3)
    assert scene.read(0, 0, 8, 8)[:, 0, 0].tolist() == [2, 1, 0]
    renamed = open_scene(path, RGB, ("dn8",) * 3, names=RGB)
    assert renamed.read(0, 0, 8, 8)[:, 0, 0].tolist() == [0, 1, 2]


def test_names_that_nobody_asks_for_may_stand_twice(write_scene):
    path = write_scene(np.zeros((3, 8, 8), np.uint8), descriptions=("B02", "B03", "B02"))
    assert open_scene(path, ("green",), None).channels[0].index == 2


def test_colours_name_bands_where_descriptions_do_not(write_scene):
    path = write_scene(np.zeros((3, 8, 8), np.uint8), descriptions=None, photometric="RGB")
    assert open_scene(path, RGB, None).channels[0].index == 1
    import rasterio

    with rasterio.open(path) as raster:
        assert raster.colorinterp[0] is ColorInterp.red


@pytest.mark.parametrize("descriptions", [("SWIR", "NIR1", "NDVI"), ("Band 8", "Band 4", "Band 3")])
def test_colours_name_no_band_that_is_called_something_else(write_scene, descriptions):
    # GDAL takes the first three of any 8-bit bands for red, green and blue.
    path = write_scene(np.zeros((3, 8, 8), np.uint8), descriptions=descriptions, photometric="RGB")
    with pytest.raises(EosfmError, match="without names"):
        open_scene(path, RGB, None)


def test_a_fourth_band_of_eight_bits_is_no_opacity_where_it_has_a_name(write_scene):
    pixels = np.full((4, 8, 8), 90, np.uint8)
    pixels[3, :4] = 0
    for nir, unmeasured in (("nir", 0), (None, 4)):
        path = write_scene(pixels, descriptions=(*RGB, nir), photometric="RGB", alpha="YES")
        with rasterio.open(path) as raster:
            assert raster.colorinterp[3] is ColorInterp.alpha
        scene = open_scene(path, RGB, None)
        assert np.isnan(scene.read(0, 0, 8, 8)[0, :, 0]).sum() == unmeasured
    named = open_scene(path, RGB, None, names=(*RGB, "nir"))
    assert not np.isnan(named.read(0, 0, 8, 8)).any()


def test_names_of_files_with_hyphens_and_with_words_in_them(write_scene, tmp_path):
    kinds = {
        "a": ("x-red", "x-green"),
        "b": ("B04_blue_nile", "B03_blue_nile"),
        "c": ("b1_red", "b2_green"),  # counted, and not of Sentinel-2
    }
    for folder, names in kinds.items():
        for number, name in enumerate(names):
            band = np.full((1, 8, 8), number, np.uint8)
            write_scene(band, name=f"{folder}/{name}.tif", descriptions=None)
        scene = open_scene(str(tmp_path / folder), ("green", "red"), None)
        assert scene.read(0, 0, 8, 8)[:, 0, 0].tolist() == [1, 0]


@pytest.mark.parametrize("name", ["red-edge", "near-infra-red", "infra_red", "band4"])
def test_a_part_of_a_word_is_no_band(write_scene, name):
    path = write_scene(np.zeros((1, 8, 8), np.uint16), f"{name}.tif", descriptions=None)
    assert named_bands(path) == [None]


def test_an_offset_declared_with_a_scale_of_one_leaves_thousands(write_scene):
    path = write_scene(np.full((3, 8, 8), 2_500, np.int16), scales=(1.0,) * 3)
    with rasterio.open(path, "r+") as raster:
        raster.offsets = (-1_000.0,) * 3
    scene = open_scene(path, RGB, ("reflectance_1e4",) * 3)
    assert (scene.read(0, 0, 8, 8) == 1_500).all()


@pytest.mark.parametrize(
    ("descriptions", "bands", "message"),
    [(RGB, ("red", "nir"), r"has red, green, blue; expected red, nir \(missing: nir\)"),
     (None, ("B02",), r"has 3 band\(s\) without names; expected B02 .*; name its bands"),
     (("B02", "B03", "B02"), ("B03", "blue"), "has blue 2 times .B02, B02.; expected each")],
)  # fmt: skip
def test_missing_bands_are_refused_in_one_line(write_scene, descriptions, bands, message):
    path = write_scene(np.zeros((3, 8, 8), np.uint16), descriptions=descriptions)
    with pytest.raises(EosfmError, match=message):
        open_scene(path, bands, None)


def test_too_few_names_are_refused(write_scene):
    path = write_scene(np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(EosfmError, match=r"has 3 band\(s\), and --bands names 2"):
        open_scene(path, ("red",), None, names=("red", "green"))


def test_a_folder_of_single_bands_is_a_scene(write_scene, tmp_path):
    for value, band in enumerate(("B02", "B03", "B8A")):
        pixels = np.full((1, 8, 8), value, np.uint16)
        write_scene(pixels, name=f"x/T33UUP_{band}.tif", descriptions=None)
    scene = open_scene(str(tmp_path / "x"), ("B8A", "blue"), None)
    assert scene.read(0, 0, 8, 8)[:, 0, 0].tolist() == [2, 0]


def test_whoever_must_name_bands_is_told_in_which_files_they_are(write_scene, tmp_path):
    write_scene(np.zeros((2, 8, 8), np.uint16), name="x/S1.tif", descriptions=None)
    write_scene(np.zeros((3, 8, 8), np.uint16), name="x/S2.tif", descriptions=None)
    told = (
        r"5 band\(s\) without names \(2 of S1.tif, 3 of S2.tif\); expected vv, B02 \(missing: all\)"
    )
    with pytest.raises(EosfmError, match=told):
        open_scene(str(tmp_path / "x"), ("vv", "B02"), None)


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
    doubled = open_scene(path, RGB, ("dn16",) * 3, scale=2.0)
    assert doubled.read(0, 0, 8, 8)[0, 0, 0] == 4000
    moved = open_scene(path, RGB, ("reflectance_1e4",) * 3, scale=0.5, offset=-1000)
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
    path = write_scene(pixels, name="silent.tif")
    silent = open_scene(path, RGB, None, nodata=0.0).read(0, 0, 8, 8)
    np.testing.assert_array_equal(np.isnan(silent), everywhere)
    assert not np.isnan(open_scene(path, RGB, None).read(0, 0, 8, 8)).any()


@pytest.mark.parametrize("told", [(0, 0, 0), (0, None, None), (None, None, 0)])
def test_zero_is_a_value_unless_all_bands_have_it_however_files_hold_them(
    write_scene, tmp_path, told
):
    pixels = np.full((3, 8, 8), 7, np.uint16)
    pixels[:, 0, :] = 0  # in all bands
    pixels[2, 4, :] = 0  # in one: of cirrus
    for number, nodata in enumerate(told):
        write_scene(pixels[[number]], f"x/B0{number + 2}.tif", (None,), nodata=nodata)
    scene = open_scene(str(tmp_path / "x"), ("B02", "B03", "B04"), None, nodata=0.0)
    everywhere = np.broadcast_to((pixels == 0).all(axis=0), pixels.shape)
    np.testing.assert_array_equal(np.isnan(scene.read(0, 0, 8, 8)), everywhere)


def test_what_products_leave_unsaid_is_known_by_their_names(write_scene, tmp_path):
    pixels = np.full((1, 8, 8), 8754, np.uint16)
    pixels[0, 0] = 0
    for band in (2, 3, 4):
        write_scene(pixels, f"l8/LC08_L2SP_192024_20200501_20200820_02_T1_SR_B{band}.TIF", (None,))
        write_scene(pixels, f"s2/T33UUP_20200501T100031_B0{band}_10m.tif", (None,))
    write_scene(np.full((3, 8, 8), 9, np.uint8), "s2/T33UUP_20200501T100031_TCI_10m.tif", RGB)
    landsat, sentinel = (
        open_scene(str(tmp_path / name), RGB, ("reflectance_1e4",) * 3).read(0, 0, 8, 8)
        for name in ("l8", "s2")
    )
    assert landsat[:, 1:] == pytest.approx(1e4 * (2.75e-5 * 8754 - 0.2), rel=1e-4)
    assert (sentinel[:, 1:] == 8754).all()  # not those of the picture
    assert np.isnan(landsat[:, 0]).all() and np.isnan(sentinel[:, 0]).all()
    other = open_scene(str(tmp_path / "s2"), RGB, None, nodata=8754.0).read(0, 0, 8, 8)
    assert np.isnan(other[:, 1:]).all() and (other[:, 0] == 0).all()
    own = open_scene(str(tmp_path / "s2"), RGB, None, otherwise=-9999.0).read(0, 0, 8, 8)
    assert np.isnan(own[:, 0]).all()  # the product says more than the task


SAFE = "S2A_MSIL2A_20210520T104629_N0500_R008_T30UYV_20230520T104629.SAFE"


@pytest.mark.parametrize(
    ("folder", "day", "shift"),
    [("plain", "20230501", 1000), ("plain", "20210501", 0), (SAFE, "20210520", 1000),
     (SAFE.replace("N0500", "N0301"), "20210520", 0),
     (SAFE.replace("N0500", "N9999"), "20180520", 0)],
)  # fmt: skip
def test_the_thousand_of_sentinel_2_is_subtracted_where_names_tell_it(
    write_scene, tmp_path, folder, day, shift, monkeypatch
):
    pixels, wanted = np.full((1, 8, 8), 3000, np.uint16), ("B8A", "B11")
    for band in wanted:
        write_scene(pixels, f"{folder}/R20m/T30UYV_{day}T104629_{band}_20m.tif", (None,))
    monkeypatch.chdir(tmp_path / folder)  # wherever one stands
    path, units = "R20m", ("reflectance_1e4",) * 2
    assert open_scene(path, wanted, units).read(0, 0, 8, 8)[0, 0, 0] == 3000 - shift
    if shift:
        with pytest.raises(EosfmError, match="holds 1,000 more, which is subtracted without"):
            open_scene(path, wanted, units, offset=-1000.0)
    else:
        by_hand = open_scene(path, wanted, units, offset=-1000.0)
        assert by_hand.read(0, 0, 8, 8)[0, 0, 0] == 2000


def test_one_date_of_sentinel_2_has_pixels_of_several_sizes(write_scene, tmp_path):
    """As in IMG_DATA of a SAFE: each band as it is finest, coarser ones between their pixels."""
    fine = np.arange(256, dtype=np.uint16).reshape(1, 16, 16) + 100
    coarse = np.full((1, 8, 8), 700, np.uint16)
    name = "IMG_DATA/{0}/T30UYV_20210501T104629_{1}_{0}.tif"
    ten, twenty = (from_origin(400_000, 5_000_000, side, side) for side in (10, 20))
    write_scene(fine, name.format("R10m", "B02").replace("_R10m", "_10m"), (None,), transform=ten)
    for band in ("B02", "B11"):
        file = name.format("R20m", band).replace("_R20m", "_20m")
        write_scene(coarse, file, (None,), transform=twenty)
    path = str(tmp_path / "IMG_DATA")
    values = open_scene(path, ("B11", "B02"), None).read(0, 0, 16, 16)
    assert (values[1] == fine[0]).all() and (values[0] == 700).all()
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


@pytest.mark.parametrize(
    ("name", "reason"),
    [("LC08_L1TP_204031_20170106_20200905_02_T1_B4.TIF", "of Level 1; take Level 2"),
     ("20200501_101010_1010_3B_AnalyticMS.tif", "radiance; take surface reflectance")],
)  # fmt: skip
def test_what_is_no_reflectance_is_refused_by_its_name(write_scene, name, reason):
    path = write_scene(np.full((1, 8, 8), 9000, np.uint16), name, descriptions=None)
    with pytest.raises(EosfmError, match=f"is {reason}.*, or say --scale and --offset"):
        open_scene(path, ("red",), ("reflectance_1e4",), ("red",))
    mine = open_scene(path, ("red",), ("reflectance_1e4",), ("red",), scale=0.1)
    assert mine.read(0, 0, 8, 8)[0, 0, 0] == pytest.approx(900)
    calibrated = write_scene(np.full((1, 8, 8), 0.3, np.float32), name, descriptions=None)
    scene = open_scene(calibrated, ("red",), ("reflectance_1e4",), ("red",), scale=1e4)
    assert scene.read(0, 0, 8, 8)[0, 0, 0] == pytest.approx(3000)
    declared = write_scene(np.full((1, 8, 8), 9000, np.uint16), name, None, scales=(2e-5,))
    scene = open_scene(declared, ("red",), ("reflectance_1e4",), ("red",))
    assert scene.read(0, 0, 8, 8)[0, 0, 0] == pytest.approx(1800)


def test_a_stack_of_a_sensor_with_numbers_of_its_own(write_scene):
    pixels = np.zeros((4, 8, 8), np.uint16)
    path = write_scene(pixels, "LT05_stack.tif", ("B1", "B2", "B3", "B4, near infrared"))
    assert named_bands(path) == ["B02", "B03", "B04", "B8A"]


def test_scale_and_offset_leave_decibels_beside_reflectance_alone(write_scene):
    pixels = np.stack([np.full((8, 8), -12.0), np.full((8, 8), 3000.0)]).astype(np.float32)
    path = write_scene(pixels, descriptions=("vv", "B04"))
    both = open_scene(path, ("vv", "B04"), ("db", "reflectance_1e4"), None, 1.0, -1000.0)
    assert both.read(0, 0, 8, 8)[:, 0, 0].tolist() == [-12, 2000]
    radar = open_scene(path, ("vv",), ("db",), None, 1.0, -1.0)
    assert radar.read(0, 0, 8, 8)[0, 0, 0] == -13
    path = write_scene(pixels + 20, "high.tif", descriptions=("height", "red"))
    high = open_scene(path, ("height", "red"), ("m", "dn8"), None, 2.0)
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
    check_values(open_scene(write_scene(pixels), RGB, units, scale=39.2), units)
