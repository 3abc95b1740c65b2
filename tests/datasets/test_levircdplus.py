"""LEVIR-CD+'s reader, split rule and recipe."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosfm.datasets.levircdplus import DATASET, hold_out, place
from eosfm.datasets.native.spec import Window
from tests.datasets.base import check_same


def test_real_pairs(samples, whole):
    scenes = {scene.id: scene for scene in DATASET.scenes(samples / "levircdplus")}
    splits = [scene.split for scene in scenes.values()]
    assert [splits.count(split) for split in ("train", "val", "test")] == [3, 1, 2]
    for scene in scenes.values():
        image, target = scene.image(whole(scene)), scene.target(whole(scene))
        assert image.shape == (2, 3, 256, 256) and image.dtype == np.uint8
        assert target.shape == (256, 256) and set(np.unique(target)) <= {0, 1}
    empty = scenes["train_train_386_0512_0768"]
    assert not empty.target(whole(empty)).any()
    before, after = empty.image(whole(empty))
    assert before.mean() == pytest.approx(160.8057, abs=1e-3)
    assert after.mean() == pytest.approx(117.4706, abs=1e-3)
    np.testing.assert_array_equal(
        empty.image(Window(100, 50, 20, 30)), empty.image(whole(empty))[..., 100:120, 50:80]
    )


@pytest.mark.parametrize("folder", ["train", "test"])
def test_torchgeo_reads_the_same(simulated, folder):
    root = simulated(DATASET, train=3, val=2, test=2)
    theirs = pytest.importorskip("torchgeo.datasets").LEVIRCDPlus(str(root), split=folder)
    scenes = [s for s in DATASET.scenes(root) if s.id.startswith(f"{folder}_")]
    ours = {str(scene.files[0]): scene for scene in scenes}
    check_same(theirs, [files["image1"] for files in theirs.files], ours)


def test_crops_of_one_place_stay_together():
    assert place("train_386_0512_0768") == place("train_386_0000_0000") == "train_386"
    assert place("train_386") == "train_386"


@given(st.sets(st.integers(1, 2000), min_size=2, max_size=300))
def test_some_are_held_out_and_some_are_not(numbers: set[int]):
    places = {f"train_{number}" for number in numbers}
    chosen = hold_out(places)
    assert chosen and chosen < places


def test_each_place_is_judged_by_its_own_name():
    places = [f"train_{number}" for number in range(1, 638)]
    whole, part = hold_out(places), hold_out(places[::3])
    assert part == whole & set(places[::3])
    assert 0.07 < len(whole) / len(places) < 0.13
    assert hold_out(places[:1]) == frozenset()


def test_copy_has_the_pairs_asked_for(simulated, whole):
    scenes = list(DATASET.scenes(simulated(DATASET, train=8, val=4, test=4, size=128, gsd=1.0)))
    splits = [scene.split for scene in scenes]
    assert [splits.count(split) for split in ("train", "val", "test")] == [8, 4, 4]
    shares = [scene.target(whole(scene)).mean() for scene in scenes]
    assert sum(share == 0 for share in shares) >= 4
    assert sum(0.005 < share < 0.6 for share in shares) >= 8
