"""What the names of known products tell."""

import numpy as np
import pytest
import rasterio

from eosfm.core.errors import EosfmError
from eosfm.prediction.scene import ReadOptions, named_bands, open_scene

RGB = ("red", "green", "blue")


def test_an_offset_declared_with_a_scale_of_one_leaves_thousands(write_scene):
    path = write_scene(np.full((3, 8, 8), 2_500, np.int16), scales=(1.0,) * 3)
    with rasterio.open(path, "r+") as raster:
        raster.offsets = (-1_000.0,) * 3
    scene = open_scene(path, RGB, ("reflectance_1e4",) * 3)
    assert (scene.read(0, 0, 8, 8) == 1_500).all()


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
    other = open_scene(str(tmp_path / "s2"), RGB, None, ReadOptions(nodata=8754.0)).read(0, 0, 8, 8)
    assert np.isnan(other[:, 1:]).all() and (other[:, 0] == 0).all()
    old = "old/S2A_OPER_MSI_L1C_TL_EPA__20160605T113933_A000734_T33UUP_B0{}.tif"
    for band in (2, 3, 4):
        write_scene(pixels, old.format(band), (None,))
    oldest = open_scene(str(tmp_path / "old"), RGB, ("reflectance_1e4",) * 3).read(0, 0, 8, 8)
    np.testing.assert_array_equal(oldest, sentinel)
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
            open_scene(path, wanted, units, ReadOptions(offset=-1000.0))
    else:
        by_hand = open_scene(path, wanted, units, ReadOptions(offset=-1000.0))
        assert by_hand.read(0, 0, 8, 8)[0, 0, 0] == 2000


@pytest.mark.parametrize(
    ("name", "reason"),
    [("LC08_L1TP_204031_20170106_20200905_02_T1_B4.TIF", "of Level 1; take Level 2"),
     ("LC80440342014077LGN00_B4.TIF", "of Level 1; take Level 2"),
     ("20200501_101010_1010_3B_AnalyticMS.tif", "radiance; take surface reflectance")],
)  # fmt: skip
def test_what_is_no_reflectance_is_refused_by_its_name(write_scene, name, reason):
    path = write_scene(np.full((1, 8, 8), 9000, np.uint16), name, descriptions=None)
    with pytest.raises(EosfmError, match=f"is {reason}.*, or say --scale and --offset"):
        open_scene(path, ("red",), ("reflectance_1e4",), ReadOptions(("red",)))
    stored = open_scene(path, ("red",), ("dn16",), ReadOptions(("red",)))
    assert stored.read(0, 0, 8, 8)[0, 0, 0] == 9000
    mine = open_scene(path, ("red",), ("reflectance_1e4",), ReadOptions(("red",), 0.1))
    assert mine.read(0, 0, 8, 8)[0, 0, 0] == pytest.approx(900)
    calibrated = write_scene(np.full((1, 8, 8), 0.3, np.float32), name, descriptions=None)
    scene = open_scene(calibrated, ("red",), ("reflectance_1e4",), ReadOptions(("red",), 1e4))
    assert scene.read(0, 0, 8, 8)[0, 0, 0] == pytest.approx(3000)
    declared = write_scene(np.full((1, 8, 8), 9000, np.uint16), name, None, scales=(2e-5,))
    scene = open_scene(declared, ("red",), ("reflectance_1e4",), ReadOptions(("red",)))
    assert scene.read(0, 0, 8, 8)[0, 0, 0] == pytest.approx(1800)


def test_a_stack_of_a_sensor_with_numbers_of_its_own(write_scene):
    pixels = np.zeros((4, 8, 8), np.uint16)
    path = write_scene(pixels, "LT05_stack.tif", ("B1", "B2", "B3", "B4, near infrared"))
    assert named_bands(path) == ["B02", "B03", "B04", "B8A"]
