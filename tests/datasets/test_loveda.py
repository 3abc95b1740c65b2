"""LoveDA's reader and recipe."""

import numpy as np
import pytest

from eosfm.datasets.loveda import CLASSES, DATASET
from eosfm.datasets.native.spec import Window
from tests.datasets.base import check_same
from tests.datasets.damage import fill, refuses, remove


def test_real_tiles(samples, whole):
    scenes = {scene.id: scene for scene in DATASET.scenes(samples / "loveda")}
    assert {name: scene.split for name, scene in scenes.items()} == {
        "train_urban_0": "train",
        "val_urban_1": "val",
    }
    scene = scenes["train_urban_0"]
    image, target = scene.image(whole(scene)), scene.target(whole(scene))
    assert image.shape == (1, 3, 1024, 1024) and image.dtype == np.uint8
    assert target.shape == (1024, 1024)
    assert set(np.unique(target)) == {1, 2, 3, 4, 7}
    assert image.mean() == pytest.approx(79.7357, abs=1e-3)
    window = Window(512, 100, 300, 200)
    np.testing.assert_array_equal(scene.image(window), image[..., 512:812, 100:300])
    np.testing.assert_array_equal(scene.target(window), target[512:812, 100:300])


@pytest.mark.parametrize("split", ["train", "val"])
def test_torchgeo_reads_the_same(simulated, split):
    root = simulated(DATASET, train=3, val=2)
    theirs = pytest.importorskip("torchgeo.datasets").LoveDA(str(root), split=split)
    ours = {str(s.files[0]): s for s in DATASET.scenes(root) if s.split == split}
    check_same(theirs, [files["image"] for files in theirs.files], ours)


def test_simulated_copy_has_both_areas_and_no_unlabelled_pixel(simulated, whole):
    scenes = list(DATASET.scenes(simulated(DATASET, train=6, val=2, size=128, gsd=1.2)))
    assert {scene.id.split("_")[1] for scene in scenes} == {"rural", "urban"}
    classes = {int(c) for scene in scenes for c in np.unique(scene.target(whole(scene)))}
    assert 0 not in classes and max(classes) < len(CLASSES)
    assert len(classes) >= 5


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("holds the value 200; expected 0 to 7", fill("Val/*/masks_png/*.png", 200)),
    ("Train not found", remove("Train")),
)
