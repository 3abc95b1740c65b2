import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.spec import Window
from eosfm.datasets.potsdam import COLORS, DATASET, IMAGES, LABELS, TILES
from eosfm.simulation.images import write_geotiff
from tests.datasets.base import check_same
from tests.datasets.damage import pixels, refuses, remove, rename


def write(path, pixels):
    write_geotiff(path, pixels, 0.05, (366_000.0, 5_809_000.0))


def test_tiles_are_the_contests(simulated):
    names = [tile for tiles in TILES.values() for tile in tiles]
    assert len(names) == len(set(names)) == 38
    assert len(TILES["train"]) + len(TILES["val"]) == 24
    root = simulated(DATASET, train=3, val=1, test=1, gsd=0.4)
    scenes = list(DATASET.scenes(root))
    assert [scene.split for scene in scenes] == ["train"] * 3 + ["val", "test"]
    assert scenes[0].id == "top_potsdam_2_10"
    assert scenes[0].crs == "EPSG:32633"
    assert len({scene.transform for scene in scenes}) == 5


def test_colours_become_classes(tiny):
    root = tiny(DATASET, gsd=0.4)
    scene = next(iter(DATASET.scenes(root)))
    colors = [*COLORS, (0, 0, 0), (252, 255, 0), (9, 222, 221)]
    mask = np.zeros((3, 64, 64), np.uint8)
    for column, color in enumerate(colors):
        mask[:, :, column] = np.array(color)[:, None]
    write(scene.files[1], mask)
    target = scene.target(Window(2, 0, 1, len(colors)))
    # Clutter to car in the order of the classes, a boundary, and what loss made of yellow and cyan.
    assert target.tolist() == [[0, 1, 2, 3, 4, 5, 255, 5, 3]]


@pytest.mark.parametrize("color", [(255, 0, 255), (128, 128, 128), (255, 110, 0)])
def test_a_strange_colour_is_named_with_its_place(tiny, color):
    root = tiny(DATASET, gsd=0.4)
    scene = next(iter(DATASET.scenes(root)))
    mask = np.full((3, 64, 64), 255, np.uint8)
    mask[:, 12, 34] = color
    write(scene.files[1], mask)
    with pytest.raises(EosfmError, match="row 12, column 34") as error:
        scene.target(Window(10, 30, 20, 20))
    assert str(color) in str(error.value)


def test_labels_in_a_folder_of_their_own(tiny, whole):
    root = tiny(DATASET, gsd=0.4)
    before = [scene.target(whole(scene)) for scene in DATASET.scenes(root)]
    (root / LABELS).mkdir()
    for label in root.glob("*_label.tif"):
        label.rename(root / LABELS / label.name)
    after = [scene.target(whole(scene)) for scene in DATASET.scenes(root)]
    np.testing.assert_array_equal(before, after)


def test_a_town_has_its_classes(simulated, whole):
    root = simulated(DATASET, train=4, size=128, gsd=0.4)
    shares = np.zeros(len(DATASET.classes))
    for scene in DATASET.scenes(root):
        classes = scene.target(whole(scene))
        shares += np.bincount(classes.ravel(), minlength=len(shares)) / classes.size
    named = dict(zip(DATASET.classes, shares / shares.sum(), strict=True))
    for name in ("impervious surfaces", "building", "low vegetation", "tree"):
        assert named[name] > 0.02, named
    assert named["car"] > 0


@pytest.mark.parametrize(("split", "ours"), [("train", ("train", "val")), ("test", ("test",))])
def test_torchgeo_reads_the_same(simulated, split, ours):
    from torchgeo.datasets import Potsdam2D

    root = simulated(DATASET, train=3, val=1, test=1, gsd=0.4)
    theirs = Potsdam2D(str(root), split=split)
    scenes = {str(s.files[0]): s for s in DATASET.scenes(root) if s.split in ours}
    check_same(theirs, [files["image"] for files in theirs.files], scenes)


def take_the_other_variant(root):
    for path in (root / IMAGES).glob("*.tif"):
        path.rename(path.with_name(path.name.replace("RGBIR", "IRRG")))


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("_label.tif not found", remove("*_label.tif")),
    (r"3 band\(s\)", pixels(f"{IMAGES}/*.tif", lambda p: p[:3])),
    ("4_Ortho_RGBIR not found", rename(IMAGES, "2_Ortho_RGB")),
    ("holds no top_potsdam", take_the_other_variant),
    gsd=0.4,
)
