import shutil
from contextlib import nullcontext

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets.eurosat import (
    BANDS,
    CLASSES,
    DATASET,
    FOLDER,
    LIST,
    RGB_BANDS,
    RGB_FOLDER,
    scenes,
)
from eosfm.simulation import cover_mask
from eosfm.simulation.images import write_jpeg
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import eurosat as recipe
from eosfm.tiles.dataset import TileDataset
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset
from tests.datasets.base import check_same
from tests.datasets.damage import check_refused, fill, refuses, remove, write

SIZES = {"train": 20, "val": 10, "test": 10}


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **SIZES)


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


@pytest.mark.parametrize("split", SPLITS)
def test_torchgeo_reads_the_same(root, split):
    theirs = pytest.importorskip("torchgeo.datasets").EuroSAT(root, split=split)
    ours = {str(s.files[0]): s for s in scenes(root) if s.split == split}
    check_same(theirs, [path for path, _ in theirs.samples], ours, "label")
    assert tuple(theirs.classes) == CLASSES and tuple(theirs.all_band_names) == BANDS


RIVER = f"{FOLDER}/River/River_9.tif"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("eurosat-val.txt not found", remove("eurosat-val.txt")),
    ("tif not found", remove("ds")),
    ("River_9.tif not found", remove(RIVER)),
    ("3 band.s. of uint8; expected 13 of uint16", fill(RIVER, 0, (3, 64, 64), np.uint8)),
    ("'Rivers'; did you mean 'River'", write("eurosat-val.txt", "Rivers_9.jpg\n")),
    ("which eurosat-train.txt names too", write("eurosat-val.txt", "River_9.jpg\n")),
    **SIZES,
)


@pytest.fixture
def rgb_root(root, tmp_path, whole):
    """The RGB edition of the simulated copy, with the lists."""
    for split in SPLITS:
        shutil.copy(root / LIST.format(split), tmp_path)
    for scene in scenes(root):
        pixels = scene.image(whole(scene))[0][[BANDS.index(band) for band in RGB_BANDS]]
        label = scene.id.rpartition("_")[0]
        write_jpeg(
            tmp_path / RGB_FOLDER / label / f"{scene.id}.jpg",
            (pixels >> 4).clip(0, 255).astype("uint8"),
        )
    return tmp_path


def test_the_rgb_edition_has_three_bands_and_the_same_splits(root, rgb_root, whole):
    edition = DATASET.below(rgb_root)
    assert (edition.bands, edition.units, edition.dtype) == (RGB_BANDS, ("dn8",) * 3, "uint8")
    assert DATASET.below(root) == DATASET and edition.name == DATASET.name
    all_bands = {s.id: s for s in scenes(root)}
    for scene in edition.scenes(rgb_root):
        other = all_bands.pop(scene.id)
        image = scene.image(whole(scene))
        assert (scene.split, *image.shape) == (other.split, 1, 3, 64, 64)
        assert scene.target(whole(scene)) == other.target(whole(other))
        means = other.image(whole(other))[0][[BANDS.index(band) for band in RGB_BANDS]] >> 4
        # JPEG changes pixels, and the mean of a noisy image a little.
        np.testing.assert_allclose(image[0].mean((1, 2)), means.clip(0, 255).mean((1, 2)), atol=6)
    assert not all_bands


def test_without_lists_an_image_is_held_out_by_its_own_name(rgb_root):
    for split in SPLITS:
        (rgb_root / LIST.format(split)).unlink()
    before = {s.id: s.split for s in scenes(rgb_root)}
    assert len(before) == sum(SIZES.values()) and set(before.values()) == set(SPLITS)
    for path in (rgb_root / RGB_FOLDER / "River").iterdir():
        shutil.copy(path, path.with_name(f"River_1{path.name.removeprefix('River_')}"))
    after = {s.id: s.split for s in scenes(rgb_root)}
    assert len(after) > len(before) and before.items() <= after.items()


@pytest.mark.parametrize("name", ["EuroSAT_MS", "EuroSAT_RGB"])
def test_the_authors_archives_have_folders_of_their_names_and_no_lists(root, rgb_root, name):
    copy = rgb_root / "copy"
    images = rgb_root / RGB_FOLDER if name == "EuroSAT_RGB" else root / FOLDER
    shutil.copytree(images, copy / name)
    found = list(DATASET.below(copy).scenes(copy))
    assert DATASET.below(copy).bands == (RGB_BANDS if name == "EuroSAT_RGB" else BANDS)
    assert {scene.id for scene in found} == {scene.id for scene in scenes(root)}
    assert {scene.split for scene in found} == set(SPLITS)


def test_torchgeos_copy_is_not_split_otherwise_where_its_lists_are_lost(root, tmp_path):
    shutil.copytree(root / "ds", tmp_path / "ds")
    check_refused(DATASET, tmp_path, "eurosat-train.txt not found")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / LIST.format("test")).unlink(), "eurosat-test.txt not found"),
        (lambda root: (root / RGB_FOLDER / "River/River_9.jpg").unlink(), "River_9.jpg not found"),
        (lambda root: (root / RGB_FOLDER).rename(root / "RGB"), "2750, EuroSAT_RGB; point"),
    ],
)
def test_faults_of_the_rgb_edition_are_named(rgb_root, damage, message):
    damage(rgb_root)
    check_refused(DATASET, rgb_root, message)
    with pytest.raises(EosfmError) if not (rgb_root / RGB_FOLDER).exists() else nullcontext():
        DATASET.below(rgb_root)


def test_the_stores_bands_follow_the_edition(rgb_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("tiles") / "store"
    cut_dataset(DATASET.below(rgb_root), rgb_root, out, tile=None, source="root")
    store = TileStore(out)
    assert store.bands == RGB_BANDS and store.dtype == np.uint8
    assert TileDataset(store, "train", ["red", "green", "blue"])[0]["image"].shape == (1, 3, 64, 64)
    with pytest.raises(EosfmError, match="no band 'B08'; it has B04, B03, B02"):
        TileDataset(store, "train", ["B08"])


def test_simulated_images_show_what_their_class_is_named_for():
    simulation = Simulation(7, {"train": 40, "val": 0, "test": 0}, 64, 10.0)
    for _, index, key in simulation.plan("eurosat"):
        label = CLASSES[index % len(CLASSES)]
        _, covers, share = recipe.CONTENT[label]
        land = recipe.draw_land(simulation, key)
        assert cover_mask(land.cover, *covers).mean() >= share, key


def test_a_class_shows_each_of_its_themes_and_the_same_in_every_split():
    simulation = Simulation(7, {"train": 15, "val": 40, "test": 40}, 64, 10.0)
    shown: dict[str, list[bool]] = {}
    for split, index, key in simulation.plan("eurosat"):
        if CLASSES[index % len(CLASSES)] == "SeaLake":
            lake = cover_mask(recipe.draw_land(simulation, key).cover, "lake").mean() > 0.35
            shown.setdefault(split, []).append(bool(lake))
    four = [False, False, False, True]  # one of four
    assert shown == {"train": [False], "val": four, "test": four}


def test_more_training_images_leave_the_others_as_they_are():
    def images(count):
        simulation = Simulation(7, {"train": count, "val": 2, "test": 2}, 64, 10.0)
        plan = [entry for entry in simulation.plan("eurosat") if entry[0] != "train"]
        return np.stack([recipe.draw(simulation, key) for *_, key in plan])

    np.testing.assert_array_equal(images(3), images(8))
