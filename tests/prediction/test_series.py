"""Time series from one folder."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from eosfm.core.errors import EosfmError
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions
from eosfm.prediction.series import dates_in
from tests.prediction.test_predict import SMALL

COLOURS = ("red", "green", "blue")


@pytest.mark.parametrize("form", ["files", "folders"])
def test_a_folder_of_dates_is_the_series_that_its_names_tell(
    form, fitted_file, artifact, write_scene, mosaic, tmp_path
):
    image, bright = mosaic
    plain = np.full_like(image, 100)
    days = {"2020-04-01": plain, "S2_20200615_x": image, "2020-09-01": plain}
    for name, pixels in days.items():
        if form == "files":
            write_scene(pixels, name=f"series/{name}.tif")
        else:
            (tmp_path / "series").mkdir(exist_ok=True)
            for band, colour in zip(pixels, COLOURS, strict=True):
                write_scene(band[None], name=f"series/{name}/{colour}.tif", descriptions=None)
    found = dates_in(str(tmp_path / "series"), COLOURS, None)
    assert [day for _, day in found] == ["2020-04-01", "2020-06-15", "2020-09-01"]
    out = tmp_path / "map.tif"
    predict(
        fitted_file("series")[0], artifact, [str(tmp_path / "series")], out, ReadOptions(), SMALL
    )
    with rasterio.open(out) as raster:
        assert (raster.read(1) == bright).mean() > 0.8


def test_days_count_whatever_stands_before_them(write_scene, mosaic, tmp_path):
    for name in ("S2A_MSIL2A_20200801T1", "S2B_MSIL2A_20200501T1", "chip_10020615_20200601"):
        write_scene(mosaic[0], name=f"series/{name}/rgb.tif")
    days = [day for _, day in dates_in(str(tmp_path / "series"), COLOURS, None)]
    assert days == ["2020-05-01", "2020-06-01", "2020-08-01"]
    numbered = ("field_1985_1012_2020-07-01", "tile_0123_2020-07-02")
    for name in numbered:
        write_scene(mosaic[0], name=f"numbered/{name}.tif")
    found = dates_in(str(tmp_path / "numbered"), COLOURS, None)
    assert [day for _, day in found] == ["2020-07-01", "2020-07-02"]
    signed = "https://a.b/S2A_20200501T1_B02.tif?se=2024-01-01"
    assert dates_in(signed, COLOURS, None) == [(signed, "2020-05-01")]
    for name in ("t10", "t9", "t9b"):
        write_scene(mosaic[0], name=f"counted/{name}.tif")
    found = dates_in(str(tmp_path / "counted"), COLOURS, None)
    assert [Path(path).stem for path, _ in found] == ["t9", "t9b", "t10"]
    (tmp_path / "series/empty").mkdir()
    write_scene(mosaic[0], name="series/a/rgb.tif")  # of no day: now names count
    dates = dates_in(str(tmp_path / "series"), COLOURS, None)
    assert [day for _, day in dates] == ["2020-08-01", "2020-05-01", None, "2020-06-01"]


def test_a_folder_of_one_date_tells_its_day(fitted_file, artifact, write_scene, mosaic, tmp_path):
    folders = [str(tmp_path / name) for name in ("S2_20200615", "S2_20200501")]
    for folder in folders:
        for band, colour in zip(mosaic[0], COLOURS, strict=True):
            write_scene(band[None], name=f"{folder}/{colour}.tif", descriptions=None)
    days = [dates_in(folder, COLOURS, None) for folder in folders]
    assert days == [[(folders[0], "2020-06-15")], [(folders[1], "2020-05-01")]]
    with pytest.raises(EosfmError, match="expected them from the first day to the last"):
        predict(
            fitted_file("series")[0], artifact, folders, tmp_path / "map.tif", ReadOptions(), SMALL
        )


def test_days_of_hls_and_what_was_before_and_after(write_scene, mosaic, tmp_path):
    def order(folder, *names):
        for name in names:
            write_scene(mosaic[0], name=f"{folder}/{name}")
        dates = dates_in(str(tmp_path / folder), COLOURS, None)
        return [(Path(path).name, day) for path, day in dates]

    hls = ("HLS.L30.T33UUP.2020140T1.tif", "HLS.S30.T33UUP.2020122T1.tif")
    assert order("hls", *hls) == [(hls[1], "2020-05-01"), (hls[0], "2020-05-19")]
    xbd = ("a_00000001_post_disaster.tif", "a_00000001_pre_disaster.tif")
    assert order("xbd", *xbd) == [(xbd[1], None), (xbd[0], None)]
    same = ("michael_20181010_post.tif", "michael_20181010_pre.tif")
    assert [name for name, _ in order("day", *same)] == [same[1], same[0]]
    days = ("michael_20181010_post.tif", "michael_20181011_pre.tif")
    assert [name for name, _ in order("days", *days)] == list(days)
    numbers = ("a.2020000T1.tif", "b.2020001T1.tif", "c.2020367T1.tif")
    assert [day for _, day in order("numbers", *numbers)] == [None, "2020-01-01", None]


def test_files_that_share_the_bands_are_one_date(write_scene, mosaic, tmp_path):
    image, _ = mosaic
    write_scene(image[:2], name="date/optical.tif", descriptions=("red", "green"))
    write_scene(image[2:], name="date/more.tif", descriptions=("blue",))
    folder = str(tmp_path / "date")
    assert dates_in(folder, COLOURS, None) == [(folder, None)]
    assert dates_in(folder, COLOURS, COLOURS) == [(folder, None)]
    assert dates_in(folder, COLOURS[:2], None) == [(folder, None)]  # one file has them all
    assert dates_in(f"{folder}/optical.tif", COLOURS, None) == [(f"{folder}/optical.tif", None)]


def test_names_that_the_user_gives_are_those_of_each_date(write_scene, mosaic, tmp_path):
    for name in ("a", "b_20201399"):
        pixels = mosaic[0].astype(np.float32)  # of which no file says that they are colours
        write_scene(pixels, name=f"series/{name}.tif", descriptions=None)
    folder = str(tmp_path / "series")
    found = [(f"{folder}/a.tif", None), (f"{folder}/b_20201399.tif", None)]
    assert dates_in(folder, COLOURS, COLOURS) == found
    assert dates_in(folder, COLOURS, None) == [(folder, None)]


def test_a_folder_without_a_raster_is_one_line(fitted_file, artifact, tmp_path):
    with pytest.raises(EosfmError, match="has no raster"):
        predict(
            fitted_file("series")[0], artifact, [str(tmp_path)], tmp_path / "maps" / "map.tif",
            ReadOptions(), SMALL,
        )  # fmt: skip
