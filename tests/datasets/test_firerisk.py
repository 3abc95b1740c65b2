import shutil

import numpy as np
import pytest

from eosfm.datasets.firerisk import CLASSES, CODES, DATASET, FOLDER, split_of
from eosfm.datasets.native.spec import Window
from eosfm.simulation.recipes.firerisk import THEMES
from tests.datasets.base import check_same
from tests.datasets.damage import first, move, refuses, remove, rename

IMAGE = f"{FOLDER}/train/High/*.png"
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
    shutil.copy(first(root, IMAGE), folder / "35501951_4_-73.9911660056379_41.2755665931274.png")
    scene = next(s for s in DATASET.scenes(root) if "35501951" in s.id)
    assert scene.split == split_of(-74, 41)


@pytest.mark.parametrize("split", ["train", "val"])
def test_torchgeo_reads_the_same(root, split):
    from torchgeo.datasets import FireRisk

    theirs = FireRisk(str(root), split=split)
    scenes = [s for s in DATASET.scenes(root) if (s.split == "val") == (split == "val")]
    ours = {str(scene.files[0]): scene for scene in scenes}
    check_same(theirs, [path for path, _ in theirs.samples], ours, "label")
    assert tuple(theirs.classes) == CLASSES


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("FireRisk/val not found", remove(f"{FOLDER}/val")),
    ("train/Low not found", remove(f"{FOLDER}/train/Low")),
    ("FireRisk/train not found", rename(FOLDER, "data")),
    ("mean 'Very_High'", lambda root: (root / FOLDER / "val" / "Very_High ").mkdir()),
    ("expected <point>_2_<", move(IMAGE, f"{FOLDER}/train/Low")),
    ("expected <point>_4_<", rename(IMAGE, "1.png")),
    **SIZES,
)
