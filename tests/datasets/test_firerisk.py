import shutil

import numpy as np
import pytest

from eosfm.datasets.firerisk import CLASSES, CODES, DATASET, FOLDER, split_of
from eosfm.datasets.native.spec import Window
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes.firerisk import THEMES, simulate
from tests.datasets.damage import check_refused

SIZES = {"train": 14, "val": 7, "test": 7, "size": 32, "gsd": 10.0}


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **SIZES)


def test_there_are_seven_classes(root):
    assert len(CLASSES) == 7 and set(CODES) == set(THEMES) == set(CLASSES)
    for split in ("train", "val", "test"):
        labels = [
            int(s.target(Window(0, 0, 32, 32))) for s in DATASET.scenes(root) if s.split == split
        ]
        assert sorted(labels) == sorted([*range(7)] * (SIZES[split] // 7))


def test_squares_of_one_degree_are_held_out_whole():
    assert split_of(-103.43, 44.28) == split_of(-103.99, 44.01)
    cells = [(lon, lat) for lon in range(-125, -66) for lat in range(25, 49)]
    share = np.mean([split_of(*cell) == "test" for cell in cells])
    assert 0.07 < share < 0.13


def test_the_place_is_read_from_a_real_name(tiny):
    root = tiny(DATASET, **SIZES)
    folder = root / FOLDER / "train" / "High"
    shutil.copy(image(root), folder / "35501951_4_-73.9911660056379_41.2755665931274.png")
    scene = next(s for s in DATASET.scenes(root) if "35501951" in s.id)
    assert scene.split == split_of(-74, 41)


@pytest.mark.parametrize("split", ["train", "val"])
def test_torchgeo_reads_the_same(root, whole, split):
    from torchgeo.datasets import FireRisk

    theirs = FireRisk(str(root), split=split)
    ours = {
        str(scene.files[0]): scene
        for scene in DATASET.scenes(root)
        if (scene.split == "val") == (split == "val")
    }
    assert tuple(theirs.classes) == CLASSES and len(theirs) == len(ours)
    for index, (path, label) in enumerate(theirs.samples):
        scene = ours[path]
        np.testing.assert_array_equal(theirs[index]["image"], scene.image(whole(scene))[0])
        assert label == int(scene.target(whole(scene)))


def test_simulation_is_a_function_of_the_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(tmp_path / name, Simulation(seed, {"train": 1, "val": 0, "test": 0}, 16, 10))
    first, same, other = (image(tmp_path / name).read_bytes() for name in "abc")
    assert first == same != other


def image(root):
    return min((root / FOLDER / "train" / "High").glob("*.png"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda r: shutil.rmtree(r / FOLDER / "val"), "FireRisk/val not found"),
        (lambda r: shutil.rmtree(r / FOLDER / "train" / "Low"), "train/Low not found"),
        (lambda r: (r / FOLDER).rename(r / "data"), "FireRisk/train not found"),
        (lambda r: (r / FOLDER / "val" / "Very_High ").mkdir(), "mean 'Very_High'"),
        (
            lambda r: image(r).rename(r / FOLDER / "train" / "Low" / image(r).name),
            "expected <point>_2_<",
        ),
        (lambda r: image(r).rename(image(r).with_name("1.png")), "expected <point>_4_<"),
        (lambda r: image(r).write_bytes(image(r).read_bytes()[:200]), "cannot be read as an image"),
        (lambda r: image(r).write_bytes(b"<html>"), "cannot be read as an image"),
    ],
)
def test_faults_are_named_in_one_line(tiny, damage, message):
    root = tiny(DATASET, **SIZES)
    damage(root)
    check_refused(DATASET, root, message)
