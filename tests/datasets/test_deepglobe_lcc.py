import shutil

import numpy as np
import pytest

from eosfm.datasets.deepglobe_lcc import CLASSES, COLORS, DATASET, split_of
from eosfm.datasets.native.spec import Window
from eosfm.simulation import COVERS
from eosfm.simulation.images import write_png
from eosfm.simulation.recipes.deepglobe_lcc import LEGEND
from tests.datasets.base import check_same
from tests.datasets.damage import empty, fill, refuses, remove, rename

SIZES = {"train": 4, "val": 2, "test": 2, "gsd": 2.0}


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **SIZES)


def first(root, folder="training_data"):
    return min((root / "data" / folder / "images").glob("*.jpg"), key=lambda path: path.name)


def mask_of(image):
    return image.parents[1] / "masks" / image.name.replace("_sat.jpg", "_mask.png")


def test_splits_hold_scenes_out_by_their_number(root):
    found = list(DATASET.scenes(root))
    assert len({scene.id for scene in found}) == 8
    for scene in found:
        in_test = "test_data" in scene.files[0].parts
        assert (scene.split == "test") == in_test
        if not in_test:
            assert scene.split == split_of("training_data", scene.id.removesuffix("_sat"))


def test_colours_become_classes(tiny):
    root = tiny(DATASET, **SIZES)
    image = first(root)
    # The last two are off by what a lossy copy of a mask is off.
    colors = [*COLORS, (250, 3, 255), (120, 130, 128)]
    pixels = np.zeros((3, 64, 64), np.uint8)
    pixels[:, :, : len(colors)] = np.array(colors).T[:, None]
    write_png(mask_of(image), pixels)
    scene = next(scene for scene in DATASET.scenes(root) if scene.files[0] == image)
    target = scene.target(Window(5, 0, 1, len(colors)))
    assert target.tolist() == [[0, 1, 2, 3, 4, 5, 6, 2, 0]]
    assert DATASET.ignore_index == CLASSES.index("unknown") == 6


@pytest.mark.parametrize("split", ["train", "test"])
def test_torchgeo_reads_the_same(root, split):
    from torchgeo.datasets import DeepGlobeLandCover

    theirs = DeepGlobeLandCover(str(root), split=split)
    scenes = [s for s in DATASET.scenes(root) if (s.split == "test") == (split == "test")]
    check_same(theirs, theirs.image_fns, {str(scene.files[0]): scene for scene in scenes})
    assert [name.split()[0].lower() for name in theirs.classes] == list(CLASSES)


def test_a_real_scene(samples, tmp_path):
    source = samples / "deepglobe_lcc" / "data" / "training_data"
    if not source.is_dir():
        pytest.skip("no DeepGlobe sample")
    for folder in ("training_data", "test_data"):
        shutil.copytree(source, tmp_path / "data" / folder)
    scene = next(scene for scene in DATASET.scenes(tmp_path) if scene.id == "119_sat")
    assert (scene.height, scene.width) == (2448, 2448)
    target = scene.target(Window(0, 0, 2448, 2448))
    counts = np.bincount(target.ravel(), minlength=7)
    # Counted from the colours of the file: urban, agriculture, rangeland, water.
    assert counts.tolist() == [29401, 4952892, 902649, 0, 107762, 0, 0]
    image = scene.image(Window(100, 200, 300, 400))
    assert image.shape == (1, 3, 300, 400) and image.dtype == np.uint8 and image.std() > 5


def test_simulated_copy_has_several_classes(simulated, whole):
    root = simulated(DATASET, train=8, size=128, gsd=3.0)
    shares = sum(
        np.bincount(scene.target(whole(scene)).ravel(), minlength=7)
        for scene in DATASET.scenes(root)
        if scene.split == "train"
    )
    assert (shares[:6] > 0).sum() >= 5
    assert set(LEGEND) <= set(COVERS)


IMAGE, MASK = (f"data/training_data/{part}" for part in ("images/*.jpg", "masks/*.png"))
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    (r"_mask.png not found", remove(MASK)),
    ("test_data/images not found", remove("data/test_data")),
    ("training_data/images not found", rename("data", "train")),
    (r"holds no \*_sat.jpg", empty("data/test_data/images")),
    (
        r"the colour \(255, 0, 0\) at row 0, column 0, which is no class",
        fill(MASK, (255, 0, 0)),
    ),
    **SIZES,
)
