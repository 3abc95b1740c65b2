"""MADOS' reader and recipe."""

import numpy as np
import pytest
import rasterio

from eosfm.datasets.mados import BANDS, CLASSES, DATASET, FOLDER, WAVELENGTHS
from eosfm.datasets.native.sentinel2 import STEP
from eosfm.simulation.images import write_tiff
from eosfm.simulation.ocean import KINDS, WATERS, draw_sea, observe_sea
from eosfm.simulation.recipes.mados import NAMES, afloat
from tests.datasets.damage import fill, refuses, remove, write

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
SIZE = 60
WATER = {CLASSES.index(NAMES[name]) for name in WATERS}


def published(root, split):
    """The patches of a split as the dataset's authors read them: sorted by wavelength."""
    for patch in (root / FOLDER / "splits" / f"{split}_X.txt").read_text().split():
        scene, _, number = patch.rpartition("_")
        folder = root / FOLDER / scene
        files = sorted(
            folder.glob(f"*/*L2R_rhorc*_{number}.tif"),
            key=lambda path: int(path.name.split("_")[-2]),
        )
        bands = []
        for path in files:
            with rasterio.open(path) as raster:
                bands.append(raster.read(1).repeat(int(path.parent.name) // 10, 0))
            bands[-1] = bands[-1].repeat(int(path.parent.name) // 10, 1)
        with rasterio.open(folder / "10" / f"{scene}_L2R_cl_{number}.tif") as raster:
            yield patch, np.stack(bands), raster.read(1)


def test_read_as_its_authors_do(simulated, whole):
    root = simulated(DATASET, train=3, val=2, test=2, size=SIZE)
    scenes = list(DATASET.scenes(root))
    assert [scene.split for scene in scenes] == ["train"] * 3 + ["val"] * 2 + ["test"] * 2
    for split in ("train", "val", "test"):
        ours = [scene for scene in scenes if scene.split == split]
        for scene, (patch, image, label) in zip(ours, published(root, split), strict=True):
            assert scene.id == patch and len(image) == len(BANDS)
            assert scene.product == patch.rpartition("_")[0]  # patches of it belong together
            read, target = scene.image(whole(scene)), scene.target(whole(scene))
            assert read.dtype == DATASET.dtype and target.dtype == np.int16
            np.testing.assert_allclose(read[0], 1e4 * image, rtol=1e-5)
            np.testing.assert_array_equal(target, label.astype(int) - 1)


def test_what_is_read_is_what_was_simulated(simulated, whole):
    root = simulated(DATASET, train=3, val=2, test=2, size=SIZE)
    scene = next(iter(DATASET.scenes(root)))
    key = (7, DATASET.name, "train", 0)
    sea = draw_sea(key, (SIZE, SIZE), afloat=afloat(0))
    target = scene.target(whole(scene))
    named = np.array([CLASSES.index(NAMES.get(kind, kind)) for kind in KINDS])[sea.kind]
    labelled = target >= 0
    assert 0.01 < labelled.mean() < 0.3
    np.testing.assert_array_equal(target[labelled], named[labelled])
    image = scene.image(whole(scene))[0]
    blue = observe_sea(sea, key, BANDS)[1]
    np.testing.assert_allclose(image[BANDS.index("B02")], blue, rtol=1e-4, atol=0.1)


def test_every_split_shows_every_class_in_a_few_labels(simulated, whole):
    root = simulated(DATASET, train=15, val=8, test=15, size=128)
    for split in ("train", "val", "test"):
        masks = [s.target(whole(s)) for s in DATASET.scenes(root) if s.split == split]
        floating, waters = set(range(15)) - WATER, WATER
        seen = set(np.unique(masks).tolist())
        assert floating <= seen and (len(seen & waters) == 4 or split == "val")
        assert 0.01 < np.mean([mask >= 0 for mask in masks]) < 0.05
    assert len(DATASET.classes) == 15


def test_both_satellites_gaps_and_windows(tiny, whole):
    root = tiny(DATASET, size=SIZE)
    folder = root / FOLDER / "Scene_0"
    for path in folder.glob("*/*rhorc*"):
        path.unlink()
    for place, name in enumerate(BANDS):
        step, wavelength = STEP[name], WAVELENGTHS[name][-1]
        side = SIZE // step
        pixels = np.arange(side * side, dtype=np.float32).reshape(1, side, side) / 1e5
        pixels += place / 10
        pixels[0, 0, 0] = np.nan
        write_tiff(folder / str(10 * step) / f"Scene_0_L2R_rhorc_{wavelength}_0.tif", pixels)
    scene = next(iter(DATASET.scenes(root)))
    full = scene.image(whole(scene))[0]
    for place, name in enumerate(BANDS):
        step = STEP[name]
        assert np.isnan(full[place, :step, :step]).all()
        assert np.isnan(full[place]).sum() == step**2
        expected = 1e4 * (place / 10 + (SIZE // step + 1) / 1e5)
        assert full[place, step, step] == pytest.approx(expected, rel=1e-5)


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("val_X.txt not found", remove(f"{FOLDER}/splits/val_X.txt")),
    (
        "train_X.txt: found 'S2_1-12-19_48MYU_0'; expected patches such as",
        write(f"{FOLDER}/splits/train_X.txt", "S2_1-12-19_48MYU_0\n"),
    ),
    (
        r"rhorc_704_0\.tif holds the value 700; expected reflectance",
        fill(f"{FOLDER}/Scene_0/20/*rhorc_704_*", 700, dtype=np.uint16),
    ),
    (
        r"cl_0\.tif holds the value 16; expected labels 0 \(unlabelled\) to 15",
        fill(f"{FOLDER}/Scene_0/10/Scene_0_L2R_cl_0.tif", 16),
    ),
    size=SIZE,
)
