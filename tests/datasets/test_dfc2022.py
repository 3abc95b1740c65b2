import shutil

import numpy as np
import pytest
import rasterio

from eosfm.datasets.dfc2022 import DATASET, FOLDER, HELD_OUT, TRAINING, read_height, split_of
from eosfm.datasets.native.spec import Window
from eosfm.datasets.native.urbanatlas import CLASSES, parse_sheet
from eosfm.simulation import COVERS
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.urbanatlas import LEGEND
from tests.datasets.damage import pixels, refuses, remove, rename

SIZES = {"train": 4, "val": 2, "test": 2, "gsd": 8.0}


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **SIZES)


def test_no_city_is_in_training_and_in_another_split(root):
    found = list(DATASET.scenes(root))
    for scene in found:
        city = scene.files[0].parents[1].name
        assert city == (TRAINING if scene.split == "train" else HELD_OUT)
        easting = parse_sheet(scene.files[0]).easting
        assert scene.split == split_of(city, easting)
        assert scene.transform[2] == 1000 * easting and scene.crs == "EPSG:2154"
    assert [split_of("Nice", x) for x in (999, 1000, 1009, 1010)] == ["test", "val", "val", "test"]


def test_torchgeo_reads_the_same(tiny, whole):
    from torchgeo.datasets import DFC2022

    root = tiny(DATASET, **SIZES)
    for folder in ("unlabeled_train", "val"):
        (root / folder).mkdir()
    theirs = DFC2022(str(root), split="train")
    ours = {str(scene.files[0]): scene for scene in DATASET.scenes(root)}
    assert len(theirs) == len(ours)
    assert tuple(name.lower() for name in theirs.classes) == CLASSES
    for index, files in enumerate(theirs.files):
        scene, sample = ours[files["image"]], theirs[index]
        image = scene.image(whole(scene))
        assert image.dtype == np.float32 and DATASET.bands[3] == "height"
        np.testing.assert_array_equal(sample["image"][:3].numpy(), image[0, :3])
        np.testing.assert_allclose(sample["image"][3].numpy(), image[0, 3], rtol=1e-5, atol=1e-3)
        np.testing.assert_array_equal(sample["mask"].numpy(), scene.target(whole(scene)))


def test_height_is_interpolated_between_pixel_centres(tmp_path):
    path = tmp_path / "h.tif"
    write_geotiff(path, np.array([[[0, 4], [8, 12]]], np.float32), 1.0, (9, 9))
    height = read_height(path, (4, 4), Window(0, 0, 4, 4))
    # Centres of the fine pixels lie at -1/4, 1/4, 3/4, 5/4 of the coarse; the edge is held.
    steps = np.array([0, 0.25, 0.75, 1])
    np.testing.assert_allclose(height, 8 * steps[:, None] + 4 * steps[None])


def test_windows_of_height_equal_the_whole(tmp_path):
    path = tmp_path / "h.tif"
    coarse = np.random.default_rng(0).normal(100, 30, (1, 25, 31)).astype(np.float32)
    write_geotiff(path, coarse, 1.0, (9, 9))
    whole = read_height(path, (50, 62), Window(0, 0, 50, 62))
    for window in (Window(0, 0, 7, 9), Window(13, 22, 20, 11), Window(49, 61, 1, 1)):
        rows, cols = (slice(a, a + n) for a, n in zip(window[:2], window[2:], strict=True))
        np.testing.assert_array_equal(read_height(path, (50, 62), window), whole[rows, cols])


@pytest.mark.parametrize(("gap", "declared"), [(-99999, -99999), (-99999, None), (-1, -1)])
def test_what_the_terrain_model_leaves_out_is_sea(tmp_path, gap, declared):
    path = tmp_path / "h.tif"
    write_geotiff(path, np.array([[[gap, 4], [4, 4]]], np.float32), 1.0, (9, 9))
    with rasterio.open(path, "r+") as raster:
        raster.nodata = declared
    assert read_height(path, (4, 4), Window(0, 0, 4, 4)).tolist()[0] == [0, 1, 3, 4]


def test_unmapped_land_is_ignored(root, whole):
    assert DATASET.ignore_index == CLASSES.index("no information") == 0
    shares = [(scene.target(whole(scene)) == 0).mean() for scene in DATASET.scenes(root)]
    assert 0 < max(shares) < 0.2 and min(shares) == 0
    assert set(LEGEND) == set(COVERS)


IMAGE, HEIGHT, LABEL = (
    f"{FOLDER}/{TRAINING}/{name}/*.tif" for name in ("BDORTHO", "RGEALTI", "UrbanAtlas")
)
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("_RGEALTI.tif not found", remove(HEIGHT)),
    ("_UA2012.tif not found", remove(LABEL)),
    ("labeled_train not found", rename(FOLDER, "val")),
    (
        r"holds no \*/BDORTHO",
        lambda root: [shutil.rmtree(path) for path in root.glob(f"{FOLDER}/*/BDORTHO")],
    ),
    ("mean 'Nice'", rename(f"{FOLDER}/Nice", "Nize")),
    ("otherwise", rename(IMAGE, "a.tif")),
    (r"1 band\(s\).*expected 3", pixels(IMAGE, lambda p: p[:1])),
    ("of float32", pixels(HEIGHT, lambda p: p.astype(np.uint8))),
    ("expected 0 to 15", pixels(LABEL, lambda p: p + 16)),
    **SIZES,
)
