import shutil

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.inria_aerial import CITIES, DATASET, FOLDER, TILES
from eosfm.datasets.native.spec import Window
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes.inria_aerial import simulate
from tests.datasets.damage import empty, fill, pixels, refuses, remove, rename, truncate

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


def test_windows_and_labels(tiny, whole):
    scene = next(iter(DATASET.scenes(tiny(DATASET, **SIZES))))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    write_geotiff(scene.files[0], pixels, 0.3, (9, 9))
    write_geotiff(scene.files[1], (pixels[:1] > 99) * np.uint8(255), 0.3, (9, 9))
    np.testing.assert_array_equal(scene.image(Window(3, 40, 50, 24)), pixels[None, :, 3:53, 40:])
    target = scene.target(Window(3, 40, 50, 24))
    np.testing.assert_array_equal(target, pixels[0, 3:53, 40:] > 99)
    assert target.max() == 1 and scene.crs == "EPSG:32633"


def test_torchgeo_reads_the_same(root, whole, monkeypatch):
    from torchgeo.datasets import InriaAerialImageLabeling

    # torchgeo looks for the number in the whole path: give it one without other numbers.
    monkeypatch.chdir(root)
    ours = {scene.id: scene for scene in DATASET.scenes(root)}
    seen = set()
    for split, mine in (("train", {"train", "test"}), ("val", {"val"})):
        theirs = InriaAerialImageLabeling(".", split=split)
        for index, files in enumerate(theirs.files):
            scene = ours[files["image"].rpartition("/")[2].removesuffix(".tif")]
            assert scene.split in mine
            sample = theirs[index]
            np.testing.assert_array_equal(sample["image"].numpy(), scene.image(whole(scene))[0])
            np.testing.assert_array_equal(sample["mask"].numpy(), scene.target(whole(scene)))
            seen.add(scene.id)
    assert seen == set(ours)


def test_buildings_stand_in_every_city(root, whole):
    for scene in DATASET.scenes(root):
        if not scene.id.startswith("kitsap"):
            assert 0.02 < scene.target(whole(scene)).mean() < 0.6, scene.id


def test_more_scenes_than_tiles_are_refused(tmp_path):
    with pytest.raises(EosfmError, match="25 val tiles, not 26"):
        simulate(tmp_path, Simulation(0, {"train": 0, "val": 26, "test": 0}, 32, 1.0))


TILE, MASK = f"{FOLDER}/images/austin1.tif", f"{FOLDER}/gt/austin1.tif"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("gt/austin1.tif not found", remove(MASK)),
    ("AerialImageDataset/train/images not found", rename(FOLDER, "training")),
    (r"holds no \*.tif", empty(f"{FOLDER}/images")),
    ("mean 'austin'", rename(TILE, "austen1.tif")),
    ("expected <city><1", rename(TILE, "austin37.tif")),
    ("expected <city><1", rename(TILE, "austin.tif")),
    ("austin1.tif (is damaged|cannot be read)", truncate(TILE)),
    (r"1 band\(s\).*expected 3", pixels(TILE, lambda p: p[:1])),
    ("expected 1 of 64x64", pixels(MASK, lambda p: p[:, :32])),
    ("value 3; expected 0, 255", fill(MASK, 3)),
    **SIZES,
)
