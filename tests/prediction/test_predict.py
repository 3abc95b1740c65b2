"""From a scene to a map or a table, as a user does it."""

import csv
import math
import re
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import torch
from rasterio import shutil

from eosfm.core.errors import EosfmError
from eosfm.evaluation.fitted import read_fitted, write_fitted
from eosfm.prediction.cut import Cut
from eosfm.prediction.geotiff import PALE, class_colours
from eosfm.prediction.inputs import SceneSeries, days_seen
from eosfm.prediction.model import load_model
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions
from tests.fixtures.scenes import PLACE

SMALL = Cut(window=32, overlap=0, device="cpu")
"""The windows that these tasks are trained on, and that the mosaic is made of."""


@pytest.fixture
def run(fitted_file, artifact, tmp_path):
    """``run(task, scenes, out, ...)``: the output's path and the line for the user."""

    def call(task, scenes, out="map.tif", reading=None, cut=SMALL, **more):
        path = tmp_path / out
        if path.suffix != ".tif" and cut is SMALL:
            cut = replace(cut, overlap=None)  # windows of tables lie side by side
        line = predict(
            fitted_file(task)[0], artifact, scenes, path, reading or ReadOptions(), cut, **more
        )
        assert not list(tmp_path.glob(".*"))
        return path, line

    return call


def test_water_is_blue_and_the_rest_of_the_world_pale():
    urban, water, _ = class_colours(("urban", "water", "soil")).values()
    assert class_colours(("no water", "water")) == {0: (*PALE, 255), 1: water}
    assert water[2] > water[0] and urban != water
    damage = class_colours(("background", "no damage", "destroyed"))
    assert damage[0] == (*PALE, 255) and len(set(damage.values())) == 3


def test_a_map_is_a_cog_on_the_scene_s_grid_with_names_and_colours(
    run, write_scene, mosaic, tmp_path
):
    image, bright = mosaic
    image = image.copy()
    image[:, :20, 100:] = 0
    path, line = run("segmentation", [write_scene(image, nodata=0)])
    with rasterio.open(path) as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (raster.crs, raster.transform) == (PLACE["crs"], PLACE["transform"])
        assert (raster.dtypes, raster.nodata, raster.count) == (("uint8",), 255, 1)
        tags = raster.tags(1)
        assert (tags["class_0"], tags["class_1"]) == ("dark", "bright")
        assert raster.colormap(1)[0] != raster.colormap(1)[1]
        found = raster.read(1)
    missing = np.zeros_like(bright, bool)
    missing[:20, 100:] = True
    np.testing.assert_array_equal(found == 255, missing)
    assert (found == bright)[~missing].mean() > 0.85
    assert re.search(r"px of 10 m in EPSG:32633; .* ha\); 8% without a measurement;", line)
    shares = {
        name: float(share) for name, share in re.findall(r"(\w+) ([\d.]+)% \([\d.]+ ha\)", line)
    }
    told = {name: 100 * (found[~missing] == k).mean() for k, name in enumerate(("dark", "bright"))}
    assert shares == pytest.approx(told, abs=0.051)
    shutil.copy(path, tmp_path / "x.vrt", driver="VRT")  # which spells out what GDAL reads
    text = (tmp_path / "x.vrt").read_text()
    assert "<Category>dark</Category>" in text and "<Category>bright</Category>" in text


def test_a_place_without_a_reference_system_is_kept(run, write_scene, mosaic):
    path, _ = run("segmentation", [write_scene(mosaic[0], crs=None)])
    with rasterio.open(path) as raster:
        assert raster.crs is None and raster.transform == PLACE["transform"]


def test_notes_on_a_former_map_do_not_stay_beside_a_new_one(run, write_scene, mosaic):
    scene = write_scene(mosaic[0])
    path, _ = run("segmentation", [scene])
    notes = path.with_name(f"{path.name}.aux.xml")
    assert "<Category>dark</Category>" in notes.read_text()
    run("segmentation", [scene], probabilities=True)
    assert not notes.exists()


@pytest.mark.parametrize("task", ["segmentation", "classification"])
@pytest.mark.parametrize("source", ["simulated", "archive", "root"])
def test_what_was_fitted_on_simulated_data_says_so(
    fitted_file, artifact, write_scene, mosaic, tmp_path, task, source
):
    path = tmp_path / "fit.pt"
    write_fitted(path, replace(read_fitted(fitted_file(task)[0]), source=source))
    out = tmp_path / ("map.tif" if task == "segmentation" else "table.csv")
    cut = Cut(window=32, device="cpu")
    line = predict(path, artifact, [write_scene(mosaic[0])], out, ReadOptions(), cut)
    assert line.endswith("; fitted on simulated data") == (source == "simulated")
    if task == "segmentation":
        with rasterio.open(out) as raster:
            assert ("(simulated)" in raster.tags()["DATASET"]) == (source == "simulated")


def test_a_scene_of_one_window_is_what_the_model_says(
    run, write_scene, mosaic, fitted_file, artifact
):
    image = mosaic[0][:, :50, :70]
    path, _ = run("segmentation", [write_scene(image)], cut=Cut(window=96), probabilities=True)
    fitted = read_fitted(fitted_file("segmentation")[0])
    mean, std = (torch.tensor(v)[:, None, None] for v in (fitted.mean, fitted.std))
    with torch.inference_mode():
        given = (torch.from_numpy(image).float() - mean) / std
        expected = load_model(fitted, artifact)(given[None, None], torch.zeros(1, 1)).softmax(1)[0]
    with rasterio.open(path) as raster:
        assert raster.descriptions == ("dark", "bright")
        np.testing.assert_allclose(raster.read(), expected.numpy(), atol=1e-4)


def test_probabilities_of_the_classes_sum_to_one(run, write_scene, mosaic):
    path, line = run("segmentation", [write_scene(mosaic[0])], probabilities=True)
    classes, shares = run("segmentation", [write_scene(mosaic[0])], out="classes.tif")
    with rasterio.open(path) as raster, rasterio.open(classes) as other:
        values = raster.read()
        assert np.isnan(raster.nodata) and raster.dtypes == ("float32", "float32")
        np.testing.assert_allclose(values.sum(0), 1, atol=1e-5)
        np.testing.assert_array_equal(values.argmax(0), other.read(1))
        bright = values[1].mean()
        assert "mean probability of " in line and f"bright {bright:.1%}" in line
        assert "probability" not in shares and f"bright {(other.read(1) == 1).mean():.1%}" in shares


def test_strips_and_batches_do_not_show(run, write_scene, mosaic, monkeypatch):
    scene = write_scene(np.tile(mosaic[0], (1, 2, 2)))
    cut = Cut(window=64, overlap=32, device="cpu")
    first, _ = run("segmentation", [scene], cut=cut, probabilities=True)
    with rasterio.open(first) as raster:
        one_by_one = raster.read()
    monkeypatch.setattr("eosfm.prediction.cut.PIXELS_CPU", 3 * 64**2)
    second, _ = run("segmentation", [scene], cut=cut, probabilities=True)
    with rasterio.open(second) as raster:
        np.testing.assert_allclose(raster.read(), one_by_one, atol=1e-5)


def test_a_regression_is_in_its_unit(run, write_scene, mosaic):
    image, bright = mosaic
    path, line = run("regression", [write_scene(image)])
    with rasterio.open(path) as raster:
        assert raster.dtypes == ("float32",) and np.isnan(raster.nodata)
        assert raster.descriptions == ("height",)
        found = raster.read(1)
    assert found[bright == 1].mean() - found[bright == 0].mean() > 3  # 12 and 4 in training
    assert f"; height {found.mean():.4g}" in line
    with pytest.raises(EosfmError, match="has no classes; leave --probabilities out"):
        run("regression", [write_scene(image)], probabilities=True)


def test_change_takes_two_scenes_of_one_grid(run, write_scene, mosaic):
    image, bright = mosaic
    before = np.full_like(image, 100)
    before[:, 5, 5] = 0
    paths = [write_scene(before, name="before.tif", nodata=0), write_scene(image)]
    path, line = run("change", paths)
    assert "is given for" not in line
    with rasterio.open(path) as raster:
        found = raster.read(1)
    assert found[5, 5] == 255 and (found == 255).sum() == 1  # a change needs both dates
    assert (found == bright).mean() > 0.8
    _, line = run("change", paths[1:] * 2)
    assert f"; {paths[1]} is given for 2 dates: give another image for each;" in line
    few = r"1 scene\(s\) given; task change takes 2 of one grid.*; name a scene per date, or"
    with pytest.raises(EosfmError, match=few):
        run("change", paths[:1])
    with pytest.raises(EosfmError, match="is on another grid"):
        run("change", [paths[0], write_scene(image[:, :90], name="small.tif")])
    with pytest.raises(EosfmError, match=r"2 scene\(s\) given; .* takes 1; map each alone"):
        run("segmentation", paths)


def test_a_series_needs_its_dates(run, write_scene, mosaic):
    image, bright = mosaic
    plain = write_scene(np.full_like(image, 100), name="plain.tif")
    paths = [plain, write_scene(image), plain]
    dates = ("2020-04-01", "2020-06-15", "2020-09-01")
    path, _ = run("series", paths, reading=ReadOptions(dates=dates))
    with rasterio.open(path) as raster:
        assert (raster.read(1) == bright).mean() > 0.8
    none = ("May", "today", "NaT", "20200401", "2020", "99999999999999999-01-01")
    faults = [((one, *dates[1:]), f"'{one}' is no date; give dates such as") for one in none]
    for wrong, message in ((), "give --dates"), (dates[:2], r"2 date\(s\) for 3"), *faults:
        with pytest.raises(EosfmError, match=message):
            run("series", paths, reading=ReadOptions(dates=wrong))
    with pytest.raises(EosfmError, match="expected them from the first day to the last"):
        run("series", paths, reading=ReadOptions(dates=dates[::-1]))
    folder = Path(plain).parent / "dates"
    folder.mkdir()
    for name, path in zip(dates, paths, strict=True):
        shutil.copy(path, folder / f"{name}.tif")
    named = [str(folder / f"{day}.tif") for day in dates]
    for scenes in ([str(folder)], named):
        with pytest.raises(EosfmError, match="the scenes tell 2020-04-01 2020-06-15 2020-09-01"):
            run("series", scenes, reading=ReadOptions(dates=("2020-04-01", *dates[:2])))
    with pytest.raises(EosfmError, match="the scenes are of 2020-09-01 2020-06-15 2020-04-01"):
        run("series", named[::-1])
    with pytest.raises(EosfmError, match="takes one date, and looks at no day; leave"):
        run("segmentation", [plain], reading=ReadOptions(dates=dates[:1]))


@pytest.mark.parametrize(
    ("option", "message"),
    [({"cut": (0,)}, "a window of 0 px; expected 1 or more"),
     ({"cut": (-64,)}, "a window of -64 px"),
     ({"reading": {"scale": float("nan")}}, "--scale is nan and --offset 0; expected numbers"),
     ({"reading": {"scale": 0.0}}, "--scale is 0 and"),
     ({"reading": {"offset": float("inf")}}, "--offset inf; expected numbers")],
)  # fmt: skip
def test_numbers_that_are_none(option, message):
    with pytest.raises(EosfmError, match=message):
        Cut(*option.get("cut", ())), ReadOptions(**option.get("reading", {}))


def test_of_dates_there_are_as_many_as_the_model_of_pixels_has_weights_for(
    write_scene, mosaic, fitted_file
):
    fitted = read_fitted(fitted_file("series")[0])
    reading = ReadOptions(dates=tuple(f"2020-0{month}-01" for month in range(4, 8)))
    four = [write_scene(mosaic[0], f"{day}.tif") for day in reading.dates]
    for scenes in (four, [*four[:3], write_scene(mosaic[0], "without a day.tif")]):
        given = SceneSeries(replace(fitted, pixel_share=0.0), scenes, reading)
        assert given.days.tolist() == [91, 121, 152, 182]
    with pytest.raises(EosfmError, match=r"4 scene\(s\) given; task series takes 3"):
        SceneSeries(replace(fitted, pixel_share=0.5), four, reading)


def test_a_date_that_shows_nothing_of_a_window_has_no_day_there(write_scene, mosaic, fitted_file):
    image = mosaic[0]
    half = image.copy()
    half[:, :, :80] = 0
    paths = [write_scene(part, f"{n}.tif", nodata=0) for n, part in enumerate((image, half, image))]
    fitted = read_fitted(fitted_file("series")[0])
    given = SceneSeries(
        fitted, paths, ReadOptions(dates=("2020-01-01", "2020-03-01", "2020-05-01"))
    )
    days = [given.read(0, col, (32, 32)).days for col in (0, 64, 96)]
    nan = math.nan
    expected = [[0, nan, 121], [0, 60, 121], [0, 60, 121]]
    torch.testing.assert_close(torch.stack(days), torch.tensor(expected), equal_nan=True)


def test_days_that_nobody_knows_still_say_which_dates_were_seen():
    missing = np.zeros((3, 4, 4), bool)
    missing[1] = True
    found = days_seen(torch.full((3,), math.nan), missing)
    assert found.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_image_labels_are_a_table_of_windows(run, write_scene, mosaic, task):
    image = mosaic[0].copy()
    image[:, :32, :32] = 0
    scene = write_scene(image, nodata=0)
    path, line = run(task, [scene], out="labels.csv", cut=Cut(device="cpu"))
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14 and "14 windows of 32x32 px, " in line  # one was not measured
    first = rows[0]
    assert (first["row"], first["col"], first["height"], first["width"]) == ("0", "32", "32", "32")
    assert float(first["x_min"]) == 400_320 and float(first["y_max"]) == 5_000_000
    names = read_names(task)
    right = sum(names[(int(r["row"]) + int(r["col"])) // 32 % 2] in r["class"] for r in rows)
    assert right >= 12
    parquet, _ = run(task, [scene], out="labels.parquet", cut=Cut(device="cpu"))
    table = geopandas.read_parquet(parquet)
    assert table.crs == "EPSG:32633" and len(table) == 14
    assert table.geometry.area.tolist() == [320.0**2] * 14
    turned = PLACE["transform"] @ PLACE["transform"].rotation(30)
    parquet, _ = run(
        task, [write_scene(image, "t.tif", nodata=0, transform=turned)], "turned.parquet",
        cut=Cut(device="cpu"),
    )  # fmt: skip
    assert geopandas.read_parquet(parquet).geometry.area.to_numpy() == pytest.approx(320.0**2)
    if task == "classification":
        assert np.allclose(
            table[[f"score/{n}" for n in ("dark", "bright")]].sum(axis=1), 1, atol=1e-5
        )


def read_names(task):
    """Class of squares with an upright half (the even ones), and of the others."""
    return ("dark", "bright") if task == "classification" else ("upright", "lying")


def test_a_scene_without_a_measured_pixel_is_a_line_and_leaves_nothing(run, write_scene, tmp_path):
    scene = write_scene(np.full((3, 64, 64), np.nan, np.float32), nodata=np.nan)
    there = set(tmp_path.iterdir())
    with pytest.raises(EosfmError, match=r"scene\.tif has no measured pixel; take another scene"):
        run("classification", [scene], out="labels.csv", cut=Cut(device="cpu"))
    assert set(tmp_path.iterdir()) == there


@pytest.mark.parametrize(
    ("task", "out", "message"),
    [("segmentation", "map.csv", "expected a .tif"), ("classification", "x.tif", "expected a .csv"),
     ("segmentation", "scene.tif", "is a scene; give another name")],
)  # fmt: skip
def test_a_wrong_output_is_refused_before_any_work(run, write_scene, mosaic, task, out, message):
    with pytest.raises(EosfmError, match=message):
        run(task, [write_scene(mosaic[0])], out=out, cut=Cut(window=32, device="cpu"))


def test_a_raster_of_others_is_never_replaced_but_an_older_map_is(run, write_scene, mosaic):
    bands = ("red", "green", "blue", "nir")
    for name, pixels in zip(bands, [*mosaic[0], mosaic[0][0]], strict=True):
        other = write_scene(pixels[None], name=f"day/{name}.tif", descriptions=None)
    folder, before = str(Path(other).parent), Path(other).read_bytes()
    refused = r"nir.tif is there, and neither predict nor embed wrote it; .* or remove it first"
    with pytest.raises(EosfmError, match=refused):
        run("segmentation", [folder], out="day/nir.tif")  # a band that the task does not use
    with pytest.raises(EosfmError, match=r"map.tif would be read as a part of the scene by the"):
        run("segmentation", [folder], out="day/map.tif")
    assert Path(other).read_bytes() == before
    for probabilities in (False, True, False):
        run("segmentation", [folder], probabilities=probabilities)


@pytest.mark.parametrize("folder", ["/proc/none", "scene.tif"])
def test_a_place_where_nothing_can_be_written_is_named(run, write_scene, mosaic, folder):
    scene, out = write_scene(mosaic[0]), f"{folder}/map.tif"
    with pytest.raises(EosfmError, match=r"map.tif cannot be written \(.*choose another"):
        run("segmentation", [scene], out=out)


def test_what_does_not_fit_is_refused(run, write_scene, mosaic):
    image = mosaic[0]
    with pytest.raises(EosfmError, match=r"--scale 255"):
        run("segmentation", [write_scene((image / 255).astype(np.float32))])
    with pytest.raises(EosfmError, match="missing: blue"):
        run("segmentation", [write_scene(image[:2], descriptions=("red", "green"))])
    with pytest.raises(EosfmError, match="--device tpu cannot be used"):
        run("segmentation", [write_scene(image)], cut=Cut(device="tpu"))


def test_a_fault_leaves_the_former_map(run, write_scene, mosaic, monkeypatch):
    scene = write_scene(mosaic[0])
    path, _ = run("segmentation", [scene])
    before = path.read_bytes()
    monkeypatch.setattr(
        "eosfm.prediction.maps.finished", lambda *_: (_ for _ in ()).throw(OSError("full"))
    )
    with pytest.raises(OSError, match="full"):
        run("segmentation", [scene])
    assert path.read_bytes() == before
    assert not list(Path(path).parent.glob(".*"))


def test_the_command(fitted_file, artifact, write_scene, mosaic, tmp_path, call):
    scene = write_scene(mosaic[0].astype(np.float32), descriptions=None)
    words = ["predict", scene, "--task", fitted_file("segmentation")[0], "-o", tmp_path / "m.tif",
             "--artifact", artifact, "--window", "32", "--overlap", "0"]  # fmt: skip
    status, _, err = call(*words)
    assert status == 1 and err.startswith("error: ") and "--bands" in err
    status, out, _ = call(*words, "--bands", "red green blue")
    assert status == 0 and out.startswith(str(tmp_path / "m.tif"))
