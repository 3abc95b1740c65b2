"""BioMassters' reader, split rule and recipe."""

import csv

import numpy as np
import pytest
from torchgeo.datasets import BioMassters

from eosfm.datasets.biomassters import DATASET, DATES, METADATA, MONTHS, OPTICAL, RADAR
from eosfm.datasets.native.spec import Window
from eosfm.simulation import draw_landscape
from eosfm.simulation.images import write_tiff
from eosfm.simulation.recipes import biomassters as recipe
from tests.datasets.damage import edit, fill, refuses, remove

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
SIZE = 32


def table(root):
    with (root / METADATA[0]).open(newline="") as file:
        return list(csv.DictReader(file))


def test_torchgeo_reads_the_same(simulated, whole):
    root = simulated(DATASET, train=2, val=1, test=2, size=SIZE)
    scenes = list(DATASET.scenes(root))
    assert sorted(scene.split for scene in scenes) == ["test", "test", "train", "train", "val"]
    for folder, splits in (("train", ("train", "val")), ("test", ("test",))):
        theirs = BioMassters(root, split=folder, as_time_series=True)
        ours = sorted((scene for scene in scenes if scene.split in splits), key=lambda s: s.id)
        assert len(theirs) == len(ours)
        for index, scene in enumerate(ours):
            sample = theirs[index]
            image, target = scene.image(whole(scene)), scene.target(whole(scene))
            assert image.shape == (12, len(DATASET.bands), SIZE, SIZE)
            assert image.dtype == DATASET.dtype and len(scene.dates) == 12
            optical, radar = np.split(image, [len(OPTICAL)], axis=1)
            seen = ~np.isnan(optical).all(axis=(1, 2, 3))
            assert seen.sum() < 12 and not np.isnan(optical[seen]).any()
            np.testing.assert_array_equal(optical[seen], sample["image_S2"].numpy()[:, :10])
            # torchgeo cuts the decimals off.
            np.testing.assert_array_equal(np.trunc(radar), sample["image_S1"].numpy())
            if folder == "train":
                np.testing.assert_array_equal(target, sample["label"][0].numpy())


def test_biomass_is_what_was_simulated(simulated, whole):
    root = simulated(DATASET, train=2, val=1, test=2, size=SIZE)
    targets = [scene.target(whole(scene)) for scene in DATASET.scenes(root)]
    key = (7, DATASET.name, "train", 0)
    land = draw_landscape(key, (SIZE, SIZE), DATASET.gsd, recipe.THEMES[0], doy=190)
    drawn = recipe.biomass(land, key)
    assert any(np.array_equal(drawn, target) for target in targets)
    assert drawn.max() > 50 and drawn.min() >= 0 and drawn.dtype == np.float32


def test_months_are_a_year_from_september():
    assert [date[5:7] for date in DATES] == [f"{m:02d}" for m in (9, 10, 11, 12, *range(1, 9))]
    assert list(DATES) == sorted(DATES)
    assert MONTHS[0] == "September" and MONTHS[11] == "August"


def test_bands_months_gaps_and_windows_keep_their_places(tiny):
    root = tiny(DATASET, size=SIZE)
    rows = [row for row in table(root) if row["split"] == "test"]
    chip = rows[0]["chip_id"]
    for row in rows:
        path = root / "test_features" / row["filename"]
        month, bands = int(row["filename"][-6:-4]), 4 if row["satellite"] == "S1" else 11
        pixels = np.ones((bands, SIZE, SIZE)) * 100 * month
        pixels += np.arange(bands)[:, None, None] + np.arange(SIZE)
        if row["satellite"] == "S1":
            pixels[:, :4] = -9999
            write_tiff(path, pixels.astype(np.float32))
        else:
            pixels[:10, 8:12] = 0
            write_tiff(path, (pixels + (pixels > 0)).astype(np.uint16))
    scene = next(scene for scene in DATASET.scenes(root) if scene.id == chip)
    full = scene.image(Window(0, 0, SIZE, SIZE))
    named = dict(zip(DATASET.bands, full.transpose(1, 0, 2, 3), strict=True))
    assert named["vh_desc"][5, 10, 7] == 500 + 3 + 7
    month = next(int(row["filename"][-6:-4]) for row in rows if row["satellite"] == "S2")
    assert named["B8A"][month, 20, 7] == 100 * month + 7 + 7 + 1
    for band in OPTICAL:
        assert np.isnan(named[band][month, 8:12]).all()
        assert not np.isnan(named[band][month, 12:]).any()
    for band in RADAR:
        assert np.isnan(named[band][:, :4]).all() and not np.isnan(named[band][:, 4:]).any()
    window = scene.image(Window(3, 5, 11, 17))
    np.testing.assert_array_equal(window, full[:, :, 3:14, 5:22])
    absent = set(range(12)) - {
        int(row["filename"][-6:-4]) for row in rows if row["satellite"] == "S2"
    }
    assert absent and np.isnan(full[sorted(absent), : len(OPTICAL)]).all()


def test_the_table_may_have_its_other_name(tiny):
    root = tiny(DATASET, size=SIZE)
    before = [scene.id for scene in DATASET.scenes(root)]
    (root / METADATA[0]).rename(root / METADATA[1])
    assert [scene.id for scene in DATASET.scenes(root)] == before


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("biomassters_features_metadata.csv not found; expected the table", remove(METADATA[0])),
    (
        "metadata.csv has the columns .*; expected chip_id",
        edit(METADATA[0], ",split,", ",part,"),
    ),
    (r"metadata.csv: found 'train/\w+,\w+_S1_12\.tif'", edit(METADATA[0], "S1_00", "S1_12")),
    (
        r"_S1_\d\d\.tif has 2 band\(s\) of 32x32 px; expected 4 of 32x32",
        fill("train_features/*_S1_*.tif", 0, (2, SIZE, SIZE)),
    ),
    (
        r"_agbm\.tif holds the value -9999; expected tonnes per hectare",
        fill("test_agbm/*.tif", -9999),
    ),
    size=SIZE,
)
