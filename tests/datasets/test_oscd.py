"""OSCD's reader and recipe."""

import numpy as np
import pytest
from torchgeo.datasets import OSCD

from eosfm.datasets.oscd import CITIES, DATASET, IMAGES, LABELS
from tests.datasets.base import check_same
from tests.datasets.damage import refuses, remove, rename, write


@pytest.mark.parametrize(("split", "ours"), [("train", ("train", "val")), ("test", ("test",))])
def test_torchgeo_reads_the_same(simulated, split, ours):
    root = simulated(DATASET)
    theirs = OSCD(str(root), split=split)
    scenes = {scene.id: scene for scene in DATASET.scenes(root) if scene.split in ours}
    check_same(theirs, [files["region"] for files in theirs.files], scenes)


def test_cities_are_split_as_published_and_three_validate():
    assert len(CITIES["train"]) + len(CITIES["val"]) == 14 and len(CITIES["test"]) == 10
    assert len(set().union(*CITIES.values())) == 24


def test_validation_is_by_city(simulated):
    scenes = {scene.id: scene for scene in DATASET.scenes(simulated(DATASET))}
    splits = {name: scene.split for name, scene in scenes.items()}
    assert splits == {
        "aguasclaras": "train", "bercy": "train", "cupertino": "val", "brasilia": "test",
    }  # fmt: skip
    assert scenes["bercy"].dates == ("2016-05-20", "2017-07-22")


def test_new_buildings_are_the_change(simulated, whole):
    root = simulated(DATASET, train=4, size=96)
    scenes = [scene for scene in DATASET.scenes(root) if scene.split == "train"]
    change = np.stack([scene.target(whole(scene)) for scene in scenes]).astype(bool)
    assert 0.005 < change.mean() < 0.25
    red = np.stack([scene.image(whole(scene))[:, 3] for scene in scenes]).astype(float)
    growth = red[:, 1] - red[:, 0]
    assert growth[change].mean() > growth[~change].mean() + 30  # sites are brighter than fields


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("imgs_2_rect/B8A.tif not found", remove(f"{IMAGES}/bercy/imgs_2_rect/B8A.tif")),
    ("Test Labels not found", rename(LABELS["test"], "Test Labels")),
    ("bercy not found; expected the images of bercy", remove(f"{IMAGES}/bercy")),
    ("dates.txt names the dates spring", write(f"{IMAGES}/bercy/dates.txt", "date_1: spring\n")),
)
