"""Several scenes in one command, each to a file of its own."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from eosfm.prediction import predict as module


@pytest.fixture
def words(fitted_file, artifact, tmp_path):
    def command(scenes, out, *more, task="segmentation"):
        cut = ("--window", 32, "--device", "cpu")
        return ("predict", *scenes, "--task", fitted_file(task)[0], "--artifact", artifact,
                "-o", out, *cut, *more)  # fmt: skip

    return command


def pixels(path):
    with rasterio.open(path) as raster:
        return raster.read()


def test_each_scene_gets_its_map_and_a_faulty_one_stops_no_other(
    words, write_scene, mosaic, tmp_path, call, monkeypatch
):
    image, _ = mosaic
    for band, values in zip(("red", "green", "blue"), image, strict=True):
        write_scene(values[None], name=f"c.2020/{band}.tif", descriptions=None)
    damaged = Path(write_scene(image, name="b.tif"))
    damaged.write_bytes(damaged.read_bytes()[:300])
    scenes = [write_scene(image[:, :64], name="a.tif"), str(damaged), str(tmp_path / "c.2020"),
              str(tmp_path / "none.tif")]  # fmt: skip
    opened, load = [], module.load_model
    monkeypatch.setattr(module, "load_model", lambda *a: opened.append(a) or load(*a))
    maps, table = tmp_path / "maps", tmp_path / "areas.csv"
    status, out, err = call(*words(scenes, f"{maps}/", "--areas", table))
    assert status == 1 and len(opened) == 1
    assert [line.partition(": ")[0] for line in out.splitlines()] == [
        str(maps / "a.tif"), str(maps / "c.2020.tif")
    ]  # fmt: skip
    damage, missing, last = err.splitlines()
    assert damage.startswith("error: ") and str(damaged) in damage
    assert "none.tif not found" in missing
    assert last.startswith("error: 2 of 4 scenes could not be mapped, for the reasons above; mend")
    assert last.endswith("give them again, with another --areas")  # this one keeps what was mapped
    assert {path.name for path in maps.glob("*.tif")} == {"a.tif", "c.2020.tif"}
    assert {line.partition(",")[0] for line in table.read_text().splitlines()[1:]} == {
        str(maps / "a.tif"), str(maps / "c.2020.tif")
    }  # fmt: skip
    alone = tmp_path / "alone.tif"
    assert call(*words(scenes[:1], alone))[0] == 0
    np.testing.assert_array_equal(pixels(alone), pixels(maps / "a.tif"))
    assert call(*words(scenes[:1], maps))[0] == 0, "a folder that is there needs no slash"


def test_tables_too(words, write_scene, mosaic, tmp_path, call):
    scenes = [write_scene(mosaic[0], name=name) for name in ("a.tif", "b.tif")]
    assert call(*words(scenes, f"{tmp_path}/tables/", task="classification"))[0] == 0
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {"a.csv", "b.csv"}


def test_no_scene_and_no_map_is_written_over(words, write_scene, mosaic, tmp_path, call):
    scenes = [write_scene(mosaic[0], name=name) for name in ("a.tif", "b.tif", "sub/a.tif")]
    before = [pixels(scene) for scene in scenes]
    status, out, err = call(*words(scenes, f"{tmp_path}/maps/"))
    assert (status, out) == (1, "") and "would both be written to" in err and scenes[2] in err
    status, out, err = call(*words(scenes[:2], tmp_path))
    assert (status, out) == (1, "") and "a.tif is a scene; give another name" in err
    for scene, values in zip(scenes, before, strict=True):
        np.testing.assert_array_equal(pixels(scene), values)


def test_what_is_wrong_with_the_task_is_told_once(words, write_scene, mosaic, tmp_path, call):
    scenes = [write_scene(mosaic[0], name=name) for name in ("a.tif", "b.tif")]
    status, out, err = call(*words(scenes, f"{tmp_path}/maps/", "--device", "tpu"))
    assert (status, out) == (1, "") and err.count("\n") == 1 and "--device tpu" in err
