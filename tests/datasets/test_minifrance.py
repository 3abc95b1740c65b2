import shutil

import numpy as np
import pytest
import rasterio

from eosfm.datasets.minifrance import DATASET, FOLDERS
from eosfm.datasets.native.spec import Window
from eosfm.simulation.images import write_geotiff
from tests.datasets.damage import check_refused

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
    assert [sum(s.split == split for s in found) for split in ("train", "val", "test")] == [4, 2, 2]
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


def part(root, folder):
    return min((root / folder).rglob("44-*.tif"))


def rewrite(file, change):
    with rasterio.open(file) as raster:
        pixels = raster.read()
    write_geotiff(file, change(pixels), 0.5, (9, 9))


def truncate(file):
    file.write_bytes(file.read_bytes()[:1500])


def move_training_image_to_test(root):
    image = part(root, "labeled_training")
    shutil.move(image, root / "test" / "D035" / image.name)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda r: part(r, "labels").unlink(), "44-.*_UA2012.tif not found"),
        (lambda r: shutil.rmtree(r / "labels"), "labels not found"),
        (lambda r: (r / "labeled_training").rename(r / "train"), "labeled_training not found"),
        (lambda r: [p.unlink() for p in (r / "test").rglob("*.tif")], "test holds no"),
        (move_training_image_to_test, "unknown département '44'; .*valid: 13"),
        (
            lambda r: part(r, "labeled_training").rename(r / "labeled_training" / "a.tif"),
            "named otherwise than",
        ),
        (lambda r: truncate(part(r, "labeled_training")), "damaged|cannot be read"),
        (lambda r: truncate(part(r, "labels")), "damaged|cannot be read"),
        (lambda r: rewrite(part(r, "labeled_training"), lambda p: p[:1]), r"1 band\(s\)"),
        (lambda r: rewrite(part(r, "labels"), lambda p: p[:, :9]), "expected 1 of 64x64"),
        (lambda r: rewrite(part(r, "labels"), lambda p: p + 16), "expected 0 to 15"),
    ],
)
def test_faults_are_named_in_one_line(tiny, damage, message):
    root = tiny(DATASET, **SIZES)
    damage(root)
    check_refused(DATASET, root, message)
