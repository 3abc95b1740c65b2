import shutil

import numpy as np
import pytest
import rasterio

from eosfm.datasets.sen12ms import BANDS, CLASSES, DATASET, SIMPLIFIED, scenes, split_of
from eosfm.simulation import COVERS
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import sen12ms as recipe
from eosfm.simulation.recipes.sen12ms import IGBP, LCCS
from tests.datasets.damage import fill, refuses, remove, write

SIZES = {"train": 5, "val": 2, "test": 2}
SIMULATION = Simulation(7, SIZES, 64, 10.0)


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **SIZES)


def test_a_scene_is_in_one_split_and_validation_is_held_out(root):
    splits: dict[str, set[str]] = {}
    for scene in scenes(root):
        splits.setdefault(scene.id.rpartition("_")[0], set()).add(scene.split)
    assert all(len(found) == 1 for found in splits.values())


def test_about_a_tenth_of_the_scenes_is_held_out():
    places = [f"{season}_{scene}" for season in recipe.SEASONS for scene in range(1, 151)]
    splits = [split_of("train", place) for place in places]
    assert 0.07 < splits.count("val") / len(splits) < 0.13 and "test" not in splits
    assert {split_of("test", place) for place in places} == {"test"}


def test_igbp_is_simplified_as_in_the_contest():
    names = {1: "Forest", 5: "Forest", 7: "Shrubland", 9: "Savanna", 10: "Grassland",
             11: "Wetlands", 12: "Croplands", 13: "Urban/Built-up", 14: "Croplands",
             15: "Snow/Ice", 16: "Barren", 17: "Water"}  # fmt: skip
    assert {igbp: CLASSES[SIMPLIFIED[igbp]] for igbp in names} == names
    assert LCCS.shape == (3, len(SIMPLIFIED)) == (3, 18)


def test_every_cover_has_a_land_cover_class():
    assert set(IGBP) == set(COVERS)


def test_unclassified_pixels_are_ignored(tiny, whole):
    scene = next(iter(scenes(tiny(DATASET, **SIZES))))
    lc = np.full((4, 64, 64), 17, np.uint16)
    lc[0, :3] = 255
    write_geotiff(scene.files[2], lc, 10, (0, 0))
    target = scene.target(whole(scene))
    assert (target[:3] == DATASET.ignore_index).all() and (target[3:] == 10).all()


@pytest.mark.parametrize("official", ["train", "test"])
def test_torchgeo_reads_the_same(root, whole, official):
    torchgeo = pytest.importorskip("torchgeo.datasets").SEN12MS(root, split=official)
    ours = [s for s in scenes(root) if (s.split == "test") == (official == "test")]
    assert tuple(name.lower() for name in torchgeo.bands[:2]) + torchgeo.bands[2:] == BANDS
    assert len(torchgeo) == len(ours)
    for sample, scene in zip((torchgeo[i] for i in range(len(ours))), ours, strict=True):
        np.testing.assert_array_equal(sample["image"], scene.image(whole(scene))[0])
        simplified = np.array(SIMPLIFIED, np.uint8)[sample["mask"].numpy()]
        np.testing.assert_array_equal(simplified, scene.target(whole(scene)))


def test_bands_are_in_order(root, whole):
    images = np.concatenate([s.image(whole(s))[0] for s in scenes(root)], axis=1)
    mean = dict(zip(BANDS, images.mean(axis=(1, 2)), strict=True))
    assert -30 < mean["vh"] < mean["vv"] < 0
    assert BANDS.index("B8A") == BANDS.index("B08") + 1


S1, S2, LC = (f"*/{source}_*/*.tif" for source in ("s1", "s2", "lc"))
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("train_list.txt not found", remove("train_list.txt")),
    ("6 band.s. of uint16; expected 13", fill(S2, 0, (6, 64, 64))),
    ("holds the value 40; expected IGBP", fill(LC, 40)),
    ("found 'p30.tif'; expected patches ROIs", write("test_list.txt", "p30.tif\n")),
    ("names too", lambda root: shutil.copy(root / "train_list.txt", root / "test_list.txt")),
    **SIZES,
)


def test_files_have_the_native_types(root):
    s1, s2, lc = next(iter(scenes(root))).files
    for path, count, dtype in ((s1, 2, "float32"), (s2, 13, "uint16"), (lc, 4, "uint16")):
        with rasterio.open(path) as raster:
            assert (raster.count, raster.dtypes[0]) == (count, dtype)
    assert s1.parent.name.startswith("s1_") and s1.parent.parent.name in recipe.SEASONS
