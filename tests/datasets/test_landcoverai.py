import shutil

import numpy as np
import pytest
import rasterio

from eosfm.datasets.landcoverai import CLASSES, DATASET
from eosfm.datasets.native.spec import Window
from eosfm.simulation import COVERS, draw_landscape, legend
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.recipes.landcoverai import LEGEND, SHEETS
from tests.datasets.damage import pixels, refuses, remove, rename, write

GSD = 20.0
SIZE = 1100
"""Two whole tiles and a cut one along each side."""
OPTIONS = {"train": 2, "val": 1, "test": 1, "size": SIZE, "gsd": GSD}


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **OPTIONS)


@pytest.fixture
def copy(root, tmp_path):
    return shutil.copytree(root, tmp_path / "copy")


def tiles(root):
    return {scene.id: scene for scene in DATASET.scenes(root)}


def test_tiles_are_counted_in_rows_with_the_cut_ones(copy, whole):
    """The numbering of the dataset's own splitting: cut places count, but are not listed."""
    pixels = np.arange(SIZE * SIZE, dtype=np.uint32).reshape(SIZE, SIZE)
    image = np.stack([pixels, pixels >> 8, pixels >> 16]).astype(np.uint8)
    write_geotiff(copy / "images" / f"{SHEETS[0]}.tif", image, 1.0, (0, 9), "EPSG:2180")
    corners = {0: (0, 0), 1: (0, 512), 3: (512, 0), 4: (512, 512)}
    ours = {name: scene for name, scene in tiles(copy).items() if name.startswith(SHEETS[0])}
    assert {int(name.rpartition("_")[2]) for name in ours} <= set(corners)
    assert len(ours) > 1
    for name, scene in ours.items():
        row, col = corners[int(name.rpartition("_")[2])]
        part = image[:, row : row + 512, col : col + 512]
        np.testing.assert_array_equal(scene.image(whole(scene))[0], part)
        np.testing.assert_array_equal(scene.image(Window(3, 5, 7, 9))[0], part[:, 3:10, 5:14])
        assert scene.transform == (1.0, 0.0, col, 0.0, -1.0, 9 - row)
        assert scene.crs == "EPSG:2180"


def test_masks_are_the_covers_that_were_drawn(root, whole):
    land = draw_landscape((7, "landcoverai", SHEETS[0]), (SIZE, SIZE), GSD, "village", 140)
    expected = legend(land.cover, LEGEND, default=0)
    with rasterio.open(root / "masks" / f"{SHEETS[0]}.tif") as raster:
        np.testing.assert_array_equal(raster.read(1), expected)
    scene = next(s for name, s in tiles(root).items() if name == f"{SHEETS[0]}_3")
    np.testing.assert_array_equal(scene.target(whole(scene)), expected[512:1024, :512])


def test_splits_are_the_lists(root):
    scenes = tiles(root)
    for split in ("train", "val", "test"):
        names = (root / f"{split}.txt").read_text().split()
        assert len(names) == OPTIONS[split]
        assert {scenes[name].split for name in names} == {split}
    assert len(scenes) == 4
    assert set(LEGEND) <= set(COVERS) and max(LEGEND.values()) == len(CLASSES) - 1
    assert len(SHEETS) == len(set(SHEETS)) == 41


def test_torchgeo_reads_the_same(root, whole):
    from torchgeo.datasets import LandCoverAIGeo

    theirs = LandCoverAIGeo(str(root))
    assert tuple(name.lower() for name in theirs.classes) == CLASSES
    for scene in list(DATASET.scenes(root))[:3]:
        _, _, x, _, _, y = scene.transform
        side = 512 * GSD
        time = slice(theirs.bounds[2].start, theirs.bounds[2].stop)
        sample = theirs[slice(x, x + side), slice(y - side, y), time]
        np.testing.assert_array_equal(sample["image"].numpy(), scene.image(whole(scene))[0])
        np.testing.assert_array_equal(sample["mask"].squeeze().numpy(), scene.target(whole(scene)))


IMAGE, MASK = (f"{folder}/{SHEETS[0]}.tif" for folder in ("images", "masks"))
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    (r"val\.txt not found", remove("val.txt")),
    (r"masks/.* not found", remove("masks")),
    (r"images/.* not found", rename("images", "output")),
    ("which train.txt names too", lambda root: shutil.copy(root / "train.txt", root / "val.txt")),
    ("no whole tile of .*1100x1100", write("val.txt", f"{SHEETS[0]}_2\n")),
    ("no whole tile", write("val.txt", f"{SHEETS[0]}_9\n")),
    ("expected <sheet>_<number>", write("val.txt", f"{SHEETS[0]}.tif\n")),
    (r"1 band\(s\) of uint8; expected 3", pixels(IMAGE, lambda p: p[:1])),
    ("holds the value 2..; expected 0 to 4", pixels(MASK, lambda p: p + 200)),
    **OPTIONS,
)
