import shutil
from pathlib import Path

import pytest

from eosfm.datasets.inria_aerial import CITIES, DATASET, FOLDER, TILES
from tests.datasets.base import check_same
from tests.datasets.damage import empty, fill, pixels, refuses, remove, rename

SIZES = {"train": 6, "val": 5, "test": 5, "gsd": 1.5}


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **SIZES)


def test_every_tile_is_in_one_split():
    assert sorted(n for tiles in TILES.values() for n in tiles) == list(range(1, 37))
    assert [TILES[split][0] for split in ("train", "val", "test")] == [6, 1, 32]


def test_every_city_is_in_every_split(root):
    for split in TILES:
        ids = [scene.id for scene in DATASET.scenes(root) if scene.split == split]
        assert len(ids) == SIZES[split]
        assert {name.rstrip("0123456789") for name in ids} == set(CITIES)


def test_the_folders_above_do_not_change_the_split(root, tmp_path):
    other = tmp_path / "data2" / "austin40"
    shutil.copytree(root, other)
    splits = {scene.id: scene.split for scene in DATASET.scenes(root)}
    assert splits["austin1"] == "val" and splits["tyrol-w6"] == "train"
    assert {scene.id: scene.split for scene in DATASET.scenes(other)} == splits


@pytest.mark.parametrize(("split", "ours"), [("train", ("train", "test")), ("val", ("val",))])
def test_torchgeo_reads_the_same(root, monkeypatch, split, ours):
    from torchgeo.datasets import InriaAerialImageLabeling

    # torchgeo looks for the number in the whole path: give it one without other numbers.
    monkeypatch.chdir(root)
    theirs = InriaAerialImageLabeling(".", split=split)
    scenes = {scene.id: scene for scene in DATASET.scenes(root) if scene.split in ours}
    check_same(theirs, [Path(files["image"]).stem for files in theirs.files], scenes)


def test_buildings_stand_in_every_city(root, whole):
    for scene in DATASET.scenes(root):
        if not scene.id.startswith("kitsap"):
            assert 0.02 < scene.target(whole(scene)).mean() < 0.6, scene.id


TILE, MASK = f"{FOLDER}/images/austin1.tif", f"{FOLDER}/gt/austin1.tif"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("gt/austin1.tif not found", remove(MASK)),
    ("AerialImageDataset/train/images not found", rename(FOLDER, "training")),
    (r"holds no \*.tif", empty(f"{FOLDER}/images")),
    ("mean 'austin'", rename(TILE, "austen1.tif")),
    ("expected <city><1", rename(TILE, "austin37.tif")),
    ("expected <city><1", rename(TILE, "austin.tif")),
    (r"1 band\(s\).*expected 3", pixels(TILE, lambda p: p[:1])),
    ("value 3; expected 0, 255", fill(MASK, 3)),
    **SIZES,
)
