import shutil

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.eurosat import BANDS, CLASSES, DATASET, FOLDER, scenes
from eosfm.simulation import cover_mask
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import eurosat as recipe
from tests.datasets.damage import check_refused

SIZES = {"train": 20, "val": 10, "test": 10}


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **SIZES)


def tif(root, name):
    return root / FOLDER / name.rpartition("_")[0] / f"{name}.tif"


def test_reader_returns_what_the_simulator_drew(root, whole):
    simulation = Simulation(7, SIZES, 64, 10.0)
    for scene in scenes(root):
        label, _, number = scene.id.rpartition("_")
        image = scene.image(whole(scene))
        assert image.shape == (1, 13, 64, 64) and image.dtype == DATASET.dtype
        np.testing.assert_array_equal(image[0], recipe.draw(simulation, label, int(number)))
        assert scene.target(whole(scene)) == CLASSES.index(label)


def test_splits_are_as_large_as_asked_and_balanced(root):
    found = list(scenes(root))
    for split, size in SIZES.items():
        labels = [s.id.rpartition("_")[0] for s in found if s.split == split]
        assert sorted(labels) == sorted(CLASSES * (size // 10))
    assert len({s.id for s in found}) == sum(SIZES.values())


def test_every_image_lies_elsewhere(root):
    assert len({s.transform for s in scenes(root)}) == sum(SIZES.values())
    assert {s.crs for s in scenes(root)} == {"EPSG:32633"}


def test_vegetation_is_brightest_where_bands_say_so(root, whole):
    """Band order: a summer forest has its red edge between B04 and B08; B10 sees no ground."""
    forests = [s for s in scenes(root) if s.id.startswith("Forest")]
    mean = dict(
        zip(BANDS, np.mean([s.image(whole(s)) for s in forests], axis=(0, 1, 3, 4)), strict=True)
    )
    assert mean["B8A"] > 2 * mean["B04"] and mean["B08"] > 2 * mean["B04"]
    assert BANDS[-1] == "B8A"


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_torchgeo_reads_the_same(root, whole, split):
    torchgeo = pytest.importorskip("torchgeo.datasets").EuroSAT(root, split=split)
    ours = {s.id: s for s in scenes(root) if s.split == split}
    assert len(torchgeo) == len(ours)
    assert tuple(torchgeo.classes) == CLASSES and tuple(torchgeo.all_band_names) == BANDS
    for (path, label), index in zip(torchgeo.samples, range(3), strict=False):
        scene = ours[path.rpartition("/")[2].removesuffix(".tif")]
        np.testing.assert_array_equal(torchgeo[index]["image"], scene.image(whole(scene))[0])
        assert label == scene.target(whole(scene))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / "eurosat-val.txt").unlink(), "eurosat-val.txt not found"),
        (lambda root: shutil.rmtree(root / "ds"), "tif not found"),
        (lambda root: tif(root, "River_9").unlink(), "River_9.tif not found"),
        (lambda root: tif(root, "River_9").write_bytes(b"<html>"), "cannot be read"),
        (
            lambda root: write_geotiff(
                tif(root, "River_9"), np.zeros((3, 64, 64), np.uint8), 10, (0, 0)
            ),
            "3 band.s. of uint8; expected 13 of uint16",
        ),
        (
            lambda root: (root / "eurosat-val.txt").write_text("Rivers_9.jpg\n"),
            "'Rivers'; did you mean 'River'",
        ),
        (
            lambda root: (root / "eurosat-val.txt").write_text("River_9.jpg\n"),
            "which eurosat-train.txt names too",
        ),
    ],
)
def test_faults_are_named_in_one_line(tiny, damage, message):
    root = tiny(DATASET, **SIZES)
    damage(root)
    check_refused(DATASET, root, message)


def test_a_truncated_image_is_named_when_read(tiny, whole):
    root = tiny(DATASET, **SIZES)
    path = tif(root, "River_9")
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(EosfmError, match=r"River_9\.tif"):
        for scene in scenes(root):
            scene.image(whole(scene))


def test_simulated_images_show_what_their_class_is_named_for():
    for label, (_, covers, share) in recipe.CONTENT.items():
        for number in range(1, 5):
            land = recipe.draw_land(Simulation(7, SIZES, 64, 10.0), label, number)
            assert cover_mask(land.cover, *covers).mean() >= share, (label, number)
