"""SpaceNet 7's reader and recipe, as single months and as change."""

import json

import numpy as np
import pytest
from torchgeo.datasets import SpaceNet7

from eosfm.core.errors import EosfmError
from eosfm.datasets import spacenet7_change
from eosfm.datasets.native.raster import read_header
from eosfm.datasets.native.spacenet7 import AOIS, CRS, IGNORE
from eosfm.datasets.native.spec import Window
from eosfm.datasets.spacenet7 import DATASET
from eosfm.simulation.images import write_geotiff, write_tiff
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes.spacenet7 import write_series
from tests.datasets.damage import fill, first, refuses, rename, truncate

CHANGE = spacenet7_change.DATASET
AMOUNT = {"train": 4, "val": 1, "test": 1}


def test_torchgeo_reads_the_same(simulated, whole, tmp_path, monkeypatch):
    root = simulated(DATASET, **AMOUNT)
    (tmp_path / "SN7_buildings").symlink_to(root)  # torchgeo's folder has the name of the bucket
    monkeypatch.setattr(SpaceNet7, "chip_size", {"images_masked": (64, 64)})
    theirs = SpaceNet7(str(tmp_path), split="train", image="images_masked", mask="labels_match")
    scenes = {str(scene.files[0].relative_to(root)): scene for scene in DATASET.scenes(root)}
    assert len(theirs) == len(scenes) == 6
    unusable = 0
    for index, path in enumerate(theirs.images):
        scene = scenes[str(path).split("SN7_buildings/")[1]]
        sample = theirs[index]
        image, target = scene.image(whole(scene))[0], scene.target(whole(scene))
        np.testing.assert_array_equal(image, sample["image"].numpy()[:3])
        usable = sample["image"].numpy()[3] == 255
        np.testing.assert_array_equal(target == IGNORE, ~usable)
        np.testing.assert_array_equal(target[usable], sample["mask"].numpy()[usable] > 0)
        unusable += (~usable).sum()
    assert unusable > 0


def test_areas_are_split_as_published():
    assert [len(AOIS[split]) for split in ("train", "val", "test")] == [30, 15, 14]
    assert len(set().union(*AOIS.values())) == 59


def test_months_and_areas(simulated, whole):
    root = simulated(DATASET, train=2, val=1, test=16)  # more months than areas
    scenes = list(DATASET.scenes(root))
    test = [scene for scene in scenes if scene.split == "test"]
    assert len(test) == 16 and len(scenes) == 19
    second = [scene for scene in test if scene.dates == ("2018-02-01",)]
    assert [scene.files[0].parts[-3] for scene in second] == list(AOIS["test"][:2])
    assert len({scene.product for scene in test}) == 14  # months of an area are drawn together
    assert all(scene.crs == CRS and scene.transform[0] == 4 for scene in scenes)
    shares = [(scene.target(whole(scene)) == 1).mean() for scene in scenes]
    assert 0.02 < np.mean(shares) < 0.5


def test_bands_keep_their_places_and_unusable_pixels_are_blank(tiny):
    root = tiny(DATASET, **AMOUNT)
    scene = next(iter(DATASET.scenes(root)))
    image = np.stack([np.full((64, 64), value, np.uint8) for value in (10, 20, 30, 255)])
    image[3, 5, 7] = 0
    write_geotiff(scene.files[0], image, 4, (scene.transform[2], scene.transform[5]), CRS)
    window = Window(5, 6, 4, 3)
    found = scene.image(window)
    assert found.shape == (1, 3, 4, 3) and found.dtype == np.uint8
    assert found[0, :, 0, 1].tolist() == [0, 0, 0]
    assert found[0, :, 0, 0].tolist() == [10, 20, 30]
    assert (scene.target(window) == IGNORE).sum() == 1 and scene.target(window)[0, 1] == IGNORE


def square(left, top, side):
    ring = [(left, top), (left + side, top), (left + side, top - side), (left, top - side)]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def write_squares(path, *places):
    """Footprints of 8 m in the mosaic's own system at (row, col) of its 4 m pixels."""
    image = path.parents[1] / "images_masked" / path.name.replace("_Buildings.geojson", ".tif")
    transform = read_header(image, 4, "uint8").transform
    features = [
        {
            "type": "Feature",
            "properties": {"Id": number},
            "geometry": square(transform[2] + 4 * col, transform[5] - 4 * row, 8),
        }
        for number, (row, col) in enumerate(places)
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))


def test_footprints_cover_the_pixels_whose_middles_they_hold(tiny):
    scene = next(iter(DATASET.scenes(tiny(DATASET, **AMOUNT))))
    write_squares(scene.files[1], (10, 20))
    expected = np.zeros((64, 64), np.uint8)
    expected[10:12, 20:22] = 1
    np.testing.assert_array_equal(scene.target(Window(0, 0, 64, 64)), expected)
    np.testing.assert_array_equal(scene.target(Window(11, 19, 5, 6)), expected[11:16, 19:25])
    write_squares(scene.files[1])
    assert not scene.target(Window(0, 0, 64, 64)).any()


def test_change_is_between_the_first_and_the_middle_month(tmp_path):
    simulation = Simulation(7, AMOUNT, 64, 4)
    write_series(tmp_path, AOIS["test"][1], ("test", 1), 5, simulation)
    (scene,) = CHANGE.scenes(tmp_path)
    assert scene.id == f"{AOIS['test'][1]}_2018-01-01"
    assert scene.dates == ("2018-01-01", "2018-03-01") and scene.split == "test"
    write_squares(scene.files[2], (4, 4), (20, 20))
    write_squares(scene.files[3], (4, 4), (40, 30))
    expected = np.zeros((64, 64), np.uint8)
    expected[20:22, 20:22] = 1
    expected[40:42, 30:32] = 1
    np.testing.assert_array_equal(scene.target(Window(0, 0, 64, 64)), expected)


def test_the_second_half_of_a_series_is_trained_on_too(tmp_path):
    simulation = Simulation(7, AMOUNT, 64, 4)
    write_series(tmp_path, AOIS["train"][0], ("train", 0), 5, simulation)
    dates = [scene.dates for scene in CHANGE.scenes(tmp_path)]
    assert dates == [("2018-01-01", "2018-03-01"), ("2018-03-01", "2018-05-01")]


def test_pairs_hold_both_months_and_new_buildings(simulated, whole):
    root = simulated(CHANGE, **AMOUNT)
    months = {scene.files[0]: scene for scene in DATASET.scenes(root)}
    scenes = list(CHANGE.scenes(root))
    splits = [scene.split for scene in scenes]
    assert {split: splits.count(split) for split in AMOUNT} == AMOUNT
    changed = 0.0
    for scene in scenes:
        first, last = (months[path] for path in scene.files[:2])
        image, target = scene.image(whole(scene)), scene.target(whole(scene))
        np.testing.assert_array_equal(image[0], first.image(whole(scene))[0])
        np.testing.assert_array_equal(image[1], last.image(whole(scene))[0])
        before, after = first.target(whole(scene)), last.target(whole(scene))
        np.testing.assert_array_equal(target == IGNORE, (before == IGNORE) | (after == IGNORE))
        usable = target != IGNORE
        np.testing.assert_array_equal(target[usable], (before != after)[usable])
        changed += (target == 1).mean() / len(scenes)
    assert 0.005 < changed < 0.3


def test_an_area_of_no_list_is_left_out(tiny):
    root = tiny(DATASET, **AMOUNT)
    folder = root / "train" / AOIS["train"][0]
    folder.rename(root / "train" / "L15-0001E-0001N_0001_0001_13")
    assert len(list(DATASET.scenes(root))) == 5


AREA = f"train/{AOIS['train'][0]}"
MOSAIC, LABEL = f"{AREA}/images_masked/*", f"{AREA}/labels_match/*"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    (r"/train not found; expected the folder train of SN7", rename("train", "SN7")),
    (
        r"labels_match not found; expected the footprints of",
        rename(f"{AREA}/labels_match", "labels"),
    ),
    (r"found 'AOI_1_Rio'; expected the dataset's areas", rename(AREA, "AOI_1_Rio")),
    (
        r"_Buildings.geojson: found 'global.*_L15-0358E.*'; expected global_monthly_<year>",
        rename(LABEL, f"global_monthly_2018_01_mosaic_{AOIS['train'][1]}_Buildings.geojson"),
    ),
    (r"_Buildings.geojson cannot be read as GeoJSON", truncate(LABEL)),
    (r"has 3 band\(s\) of uint8; expected 4", fill(MOSAIC, 1, (3, 64, 64))),
    (
        r"\.tif has no georeference",
        lambda root: write_tiff(first(root, MOSAIC), np.ones((4, 64, 64), np.uint8)),
    ),
    **AMOUNT,
)


def test_change_refuses_an_area_of_one_month_and_one_that_moved(tiny):
    root = tiny(CHANGE, **AMOUNT)
    january, february = sorted(root.glob(MOSAIC))
    write_geotiff(february, np.ones((4, 64, 64), np.uint8), 4, (0, 0), CRS)
    with pytest.raises(EosfmError, match=f"lies elsewhere than {january.name}"):
        list(CHANGE.scenes(root))
    for path in (root / AREA).rglob("*_2018_02_*"):
        path.unlink()
    with pytest.raises(EosfmError, match=r"has 1 labelled months .*expected at least 2"):
        list(CHANGE.scenes(root))
