import shutil

import numpy as np
import pytest

from eosfm.datasets.minifrance import DATASET, FOLDERS
from eosfm.datasets.native.spec import Window
from eosfm.simulation.images import write_geotiff
from tests.datasets.damage import empty, move, pixels, refuses, remove, rename

SIZES = {"train": 4, "val": 2, "test": 2, "gsd": 8.0}


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **SIZES)


def test_no_conurbation_is_in_two_splits(root):
    split_of: dict[str, set[str]] = {}
    found = list(DATASET.scenes(root))
    for scene in found:
        split_of.setdefault(scene.id[:2], set()).add(scene.split)
    assert split_of == {"44": {"train"}, "06": {"val"}, "35": {"test"}}
    assert not set(FOLDERS["labeled_training"]) & set(FOLDERS["test"])


def test_windows_of_image_and_label(tiny):
    scene = next(iter(DATASET.scenes(tiny(DATASET, **SIZES))))
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 64, 64), dtype=np.uint8)
    classes = rng.integers(0, 16, (1, 64, 64), dtype=np.uint8)
    write_geotiff(scene.files[0], pixels, 0.5, (9, 9))
    write_geotiff(scene.files[1], classes, 0.5, (9, 9))
    np.testing.assert_array_equal(scene.image(Window(3, 40, 50, 24)), pixels[None, :, 3:53, 40:])
    np.testing.assert_array_equal(scene.target(Window(3, 40, 50, 24)), classes[0, 3:53, 40:])
    assert scene.image(Window(0, 0, 1, 1)).dtype == np.uint8
    assert DATASET.bands == ("red", "green", "blue") and DATASET.ignore_index == 0


def test_archives_unpacked_a_folder_deeper_read_the_same(tiny):
    root = tiny(DATASET, **SIZES)
    before = {scene.id: scene.split for scene in DATASET.scenes(root)}
    for folder, inner in (("labeled_training", "labeled"), ("labels", "labels")):
        (root / folder).rename(root / "moved")
        (root / folder).mkdir()
        (root / "moved").rename(root / folder / inner)
    assert {scene.id: scene.split for scene in DATASET.scenes(root)} == before


def test_the_test_partition_and_further_labels_may_be_absent_or_present(tiny):
    root = tiny(DATASET, **SIZES)
    shutil.rmtree(root / "test")
    assert {scene.split for scene in DATASET.scenes(root)} == {"train", "val"}


def test_images_beyond_the_urban_atlas_are_left_out(tiny):
    root = tiny(DATASET, **SIZES)
    before = [scene.id for scene in DATASET.scenes(root)]
    unmapped = [next((root / "labels").rglob(f"{start}-*")) for start in ("44", "35")]
    for label in unmapped:
        label.unlink()
    gone = [label.name.removesuffix("_UA2012.tif") for label in unmapped]
    assert [scene.id for scene in DATASET.scenes(root)] == [id for id in before if id not in gone]
    assert len(before) == 8


def test_sheets_are_where_their_names_say(root):
    for scene in DATASET.scenes(root):
        easting, northing = (int(part) for part in scene.id.split("-")[2:4])
        assert easting % 5 == northing % 5 == 0
        assert (scene.transform[2], scene.transform[5]) == (1000 * easting, 1000 * northing)


def test_land_use_has_classes_of_town_and_country(simulated, whole):
    root = simulated(DATASET, train=8, size=128, gsd=4.0)
    shares = sum(
        np.bincount(scene.target(whole(scene)).ravel(), minlength=16)
        for scene in DATASET.scenes(root)
        if scene.split == "train"
    )
    assert (shares[[1, 2, 5, 7, 10, 14]] > 0).all(), shares


IMAGE, LABEL = "labeled_training/**/44-*.tif", "labels/**/44-*.tif"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    (r"44-\*_UA2012.tif not found; expected labels of its images", empty("labels/D044")),
    ("labels not found", remove("labels")),
    ("labeled_training not found", rename("labeled_training", "train")),
    ("test holds no", empty("test")),
    ("unknown département '44'; .*valid: 13", move(IMAGE, "test")),
    ("named otherwise than", rename(IMAGE, "a.tif")),
    (r"1 band\(s\)", pixels(IMAGE, lambda p: p[:1])),
    ("expected 0 to 15", pixels(LABEL, lambda p: p + 16)),
    **SIZES,
)
