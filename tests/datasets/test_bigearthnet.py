import numpy as np
import pyarrow.parquet as parquet
import pytest
import rasterio

from eosfm.datasets.bigearthnet import BANDS, CLASSES, DATASET, S2_STEP, scenes
from eosfm.simulation import COVERS
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import bigearthnet as recipe
from eosfm.simulation.recipes.bigearthnet import (
    ABSORBED,
    CORINE,
    COVER_CLASS,
    generalise,
    map_path,
)
from tests.datasets.damage import fill, refuses, remove, write

SIZES = {"train": 4, "val": 2, "test": 2}


@pytest.fixture(scope="module")
def root(simulated):
    return simulated(DATASET, **SIZES, size=60)


@pytest.fixture(scope="module")
def full_size(simulated):
    return simulated(DATASET, **SIZES, size=120)


def by_split(root):
    found = {"train": [], "val": [], "test": []}
    for scene in scenes(root):
        found[scene.split].append(scene)
    return found


def test_coarse_pixels_are_repeated_on_the_fine_grid(root, whole):
    scene = next(iter(scenes(root)))
    image = scene.image(whole(scene))[0]
    for name, step in S2_STEP.items():
        path = next(p for p in scene.files if p.name.endswith(f"_{name}.tif"))
        with rasterio.open(path) as raster:
            assert raster.shape == (60 // step, 60 // step) and raster.res == (10 * step,) * 2
            expected = np.kron(raster.read(1), np.ones((step, step)))
        np.testing.assert_array_equal(image[BANDS.index(name)], expected)


def test_radar_channels_are_found_by_name_not_by_order(root, whole):
    """Sorted by name, VH would come first."""
    scene = next(iter(scenes(root)))
    vv, vh = scene.image(whole(scene))[0, :2]
    assert [path.name[-6:-4] for path in scene.files[:2]] == ["VV", "VH"]
    assert vh.mean() < vv.mean() < 0


def test_labels_are_the_classes_of_the_reference_map(root, whole):
    for scene in scenes(root):
        with rasterio.open(map_path(root, scene.id)) as raster:
            codes = set(np.unique(raster.read(1)))
        labels = scene.target(whole(scene))
        assert labels.sum() >= 1
        assert codes - {999} == {CORINE[i] for i in np.flatnonzero(labels)}


def test_scenes_have_dates_and_places(root):
    found = list(scenes(root))
    assert found[0].dates == ("2017-06-13",) and found[0].crs == "EPSG:32633"
    assert len({(s.crs, s.transform) for s in found}) == len(found)
    assert found[0].product == "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"


def test_generalise_gives_small_areas_to_their_neighbours():
    classes = np.zeros((20, 20), np.uint8)
    classes[:, 10:] = 2
    classes[3:6, 3:6] = 17  # 2 % of the map
    classes[:, 15:17] = ABSORBED  # a road through the fields: 10 %, but no class
    expected = np.zeros((20, 20), np.uint8)
    expected[:, 10:] = 2
    np.testing.assert_array_equal(generalise(classes), expected)


def test_generalise_counts_streets_with_their_houses():
    classes = np.full((20, 20), 2, np.uint8)
    classes[:8, :8] = ABSORBED
    classes[1:8:2, 1:8:2] = 0  # houses alone: 4 %; the village: 16 %
    village = generalise(classes) == 0
    assert village.mean() == pytest.approx(0.16, abs=0.03) and village[:7, :7].all()


def test_every_cover_has_a_class():
    assert set(COVER_CLASS) == set(COVERS)
    assert len(CORINE) == len(CLASSES) + 1


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_torchgeo_reads_the_same(full_size, whole, split):
    torchgeo = pytest.importorskip("torchgeo.datasets").BigEarthNetV2(full_size, split=split)
    ours = by_split(full_size)[split]
    assert tuple(torchgeo.class_set) == CLASSES
    assert list(torchgeo.metadata_df["patch_id"]) == [s.id for s in ours]
    fine = [index for index, step in enumerate(S2_STEP.values()) if step == 1]
    for sample, scene in zip((torchgeo[i] for i in range(len(ours))), ours, strict=True):
        image = scene.image(whole(scene))[0]
        # It sorts VH before VV, rounds decibels to integers, and interpolates coarse bands.
        s1 = sample["image_s1"].numpy()[::-1]
        np.testing.assert_allclose(s1, image[:2], rtol=0, atol=0.501)
        np.testing.assert_array_equal(sample["image_s2"][fine], image[2:][fine])
        np.testing.assert_array_equal(sample["label"], scene.target(whole(scene)))


def columns(**values):
    """Other values in columns of the table; None for a column that is not there."""

    def damage(root):
        table = parquet.read_table(root / "metadata.parquet")
        for name, value in values.items():
            table = table.remove_column(table.column_names.index(name))
            if value is not None:
                table = table.append_column(name, [[value] * table.num_rows])
        parquet.write_table(table, root / "metadata.parquet")

    return damage


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("metadata.parquet not found", remove("metadata.parquet")),
    ("is not the file expected", write("metadata.parquet", b"PAR")),
    ("version 2 with patch_id, labels, split, s1_name", columns(s1_name=None)),
    ("unknown split 'dev'.*valid: train, validation", columns(split="dev")),
    ("'Pasture'; did you mean 'Pastures'", columns(labels=["Pasture"])),
    ("B01.tif not found", columns(patch_id="S2A_MSIL2A_20170613T1_x_1_2")),
    ("64x64 px; expected a multiple of 6", fill("*S2/*/*/*_B02.tif", 0, (1, 64, 64))),
    ("60x60 px; expected 1 of 30x30", fill("*S2/*/*/*_B05.tif", 0, (1, 60, 60))),
    **SIZES,
    size=60,
)


def test_simulated_patches_name_nearly_every_class():
    """Agro-forestry has no counterpart; the others turn up in a few hundred patches."""
    simulation = Simulation(0, SIZES, 60, 10.0)
    found = set()
    for index in range(4 * len(recipe.THEMES)):
        found |= set(np.unique(recipe.draw(simulation, "train", index)["map"]).tolist())
    assert len(found & set(range(len(CLASSES)))) >= 16
