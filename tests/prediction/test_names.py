"""Which band each channel of a file is."""

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from eosfm.core.errors import EosfmError
from eosfm.prediction.names import parse_bands
from eosfm.prediction.scene import ReadOptions, named_bands, open_scene

RGB = ("red", "green", "blue")
OLI = ("B01", "B02", "B03", "B04", "B8A", "B11", "B12")


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
     ("LC80440342014077LGN00_B5.TIF", "B8A"), ("LC80440342014077LGN00_B11.TIF", None),
     ("LT50440342010077PAC01_B4.TIF", "B8A"), ("LM10170391976031AAA01_B4.TIF", "B03"),
     ("LC08_mosaic_swir16.tif", "B11"), ("LC08_mosaic_red.tif", "red"), ("red_tide_a.tif", "red"),
     ("LC08_mosaic.tif", None), ("roma_SR_B5.tif", None), ("LC08_roma_SR_B5.tif", "B8A"),
     ("MOD09A1.A2020121.h18v04.sur_refl_b01.tif", None), ("roma_NIR_narrow.tif", "B8A")],
)  # fmt: skip
def test_a_sensor_s_own_numbers_are_understood_in_names_of_files(write_scene, name, band):
    path = write_scene(np.zeros((1, 8, 8), np.uint16), name, descriptions=None)
    assert named_bands(path) == [band]


@pytest.mark.parametrize(
    ("numbers", "bands"),
    [(range(1, 12), [*OLI[:7], None, "B10", None, None]),
     ([1, 2, 3, 4, 5, 6, 7, 10, 11], [*OLI[:7], None, None]),
     ([2, 3, 4, 5, 6, 7, 8, 11], ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11"]),
     ([*range(1, 13)], [f"B{number:02}" for number in range(1, 13)])],
)  # fmt: skip
def test_numbers_of_landsat_8_are_told_by_those_that_are_there(write_scene, numbers, bands):
    """As in an export of Google Earth Engine, whose name says nothing."""
    names = tuple(f"B{number}" for number in numbers)
    path = write_scene(np.zeros((len(names), 8, 8), np.float32), "roma.tif", descriptions=names)
    assert named_bands(path) == bands


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
    renamed = open_scene(path, RGB, ("dn8",) * 3, ReadOptions(RGB))
    assert renamed.read(0, 0, 8, 8)[:, 0, 0].tolist() == [0, 1, 2]


def test_names_that_nobody_asks_for_may_stand_twice(write_scene):
    path = write_scene(np.zeros((3, 8, 8), np.uint8), descriptions=("B02", "B03", "B02"))
    assert open_scene(path, ("green",), None).channels[0].index == 2


def test_colours_name_bands_where_descriptions_do_not(write_scene):
    path = write_scene(np.zeros((3, 8, 8), np.uint8), descriptions=None, photometric="RGB")
    assert open_scene(path, RGB, None).channels[0].index == 1

    with rasterio.open(path) as raster:
        assert raster.colorinterp[0] is ColorInterp.red


@pytest.mark.parametrize("descriptions", [("SWIR", "NIR1", "NDVI"), ("Band 8", "Band 4", "Band 3")])
def test_colours_name_no_band_that_is_called_something_else(write_scene, descriptions):
    # GDAL takes the first three of any 8-bit bands for red, green and blue.
    path = write_scene(np.zeros((3, 8, 8), np.uint8), descriptions=descriptions, photometric="RGB")
    with pytest.raises(EosfmError, match="without known names"):
        open_scene(path, RGB, None)


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


@pytest.mark.parametrize(
    ("name", "band"),
    [("S1_VV_VH", "vv_vh"), ("vh_desc_2020", "vh_desc"), ("VV_VH_2020_VH", "vh"), ("x_vv", "vv")],
)
def test_the_difference_of_two_channels_is_neither_of_them(write_scene, name, band):
    path = write_scene(np.zeros((1, 8, 8), np.float32), f"{name}.tif", descriptions=None)
    assert named_bands(path) == [band]


@pytest.mark.parametrize("name", ["red-edge", "near-infra-red", "infra_red", "band4"])
def test_a_part_of_a_word_is_no_band(write_scene, name):
    path = write_scene(np.zeros((1, 8, 8), np.uint16), f"{name}.tif", descriptions=None)
    assert named_bands(path) == [None]


@pytest.mark.parametrize(
    ("descriptions", "bands", "message"),
    [(RGB, ("red", "nir"), r"has red, green, blue; expected red, nir \(missing: nir\)"),
     (None, ("B02",), r"has 3 band\(s\) without known names; expected B02 .*; name its bands"),
     (("B02", "B03", "B02"), ("B03", "blue"), "has blue 2 times .B02, B02.; expected each")],
)  # fmt: skip
def test_missing_bands_are_refused_in_one_line(write_scene, descriptions, bands, message):
    path = write_scene(np.zeros((3, 8, 8), np.uint16), descriptions=descriptions)
    with pytest.raises(EosfmError, match=message):
        open_scene(path, bands, None)


def test_too_few_names_are_refused(write_scene):
    path = write_scene(np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(EosfmError, match=r"has 3 band\(s\), and --bands names 2"):
        open_scene(path, ("red",), None, ReadOptions(("red", "green")))


def test_whoever_must_name_bands_is_told_in_which_files_they_are(write_scene, tmp_path):
    write_scene(np.zeros((2, 8, 8), np.uint16), name="x/S1.tif", descriptions=None)
    write_scene(np.zeros((3, 8, 8), np.uint16), name="x/S2.tif", descriptions=None)
    told = r"5 band\(s\) without known names \(2 of S1.tif, 3 of S2.tif\); expected vv, B02"
    with pytest.raises(EosfmError, match=told):
        open_scene(str(tmp_path / "x"), ("vv", "B02"), None)


def test_names_in_other_places_than_the_files_have_them_are_noted(write_scene, tmp_path):
    pixels, given = np.zeros((3, 8, 8), np.uint8), ReadOptions(("B02", "B03", "B04"))
    told = write_scene(pixels, descriptions=("B4", "B3", "B2"))
    for band in ("B02", "B04", "B8A"):
        write_scene(pixels[:1], name=f"x/{band}.tif", descriptions=None)
    for path, bands in ((told, "B04, B03, B02"), (str(tmp_path / "x"), "B02, B04, B8A")):
        assert f"name their bands {bands}, which --bands" in open_scene(path, RGB, None, given).note
    coloured = write_scene(pixels, descriptions=None, photometric="RGB")
    other = write_scene(pixels, name="other.tif", descriptions=("B8", "NDVI", "B12"))
    for path in (coloured, other):
        assert not open_scene(path, RGB, None, given).note
    assert not open_scene(told, RGB, None).note
