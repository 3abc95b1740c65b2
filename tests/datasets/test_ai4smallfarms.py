"""AI4SmallFarms' reader and recipe."""

import numpy as np
import pytest

from eosfm.datasets.ai4smallfarms import BANDS, DATASET, FOLDER, FOLDERS
from eosfm.datasets.native.spec import Window
from eosfm.simulation import draw_landscape
from eosfm.simulation.covers import code
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import ai4smallfarms as recipe
from tests.datasets.damage import empty, pixels, refuses, rename, rewrite


def first(root, kind="images"):
    return min((root / FOLDER / "train" / kind).glob("*.tif"))


def test_what_is_read_is_what_was_simulated(simulated, whole):
    root = simulated(DATASET, train=3, val=2, test=1)
    scenes = list(DATASET.scenes(root))
    assert [scene.split for scene in scenes] == ["train"] * 3 + ["val"] * 2 + ["test"]
    assert len({scene.id for scene in scenes}) == 6
    counted = {"train": 0, "val": 0, "test": 0}
    for scene in scenes:
        index = counted[scene.split]
        counted[scene.split] += 1
        image, mask = recipe.draw(
            (7, DATASET.name, scene.split, index), index, Simulation(7, {}, 64, DATASET.gsd)
        )
        read = scene.image(whole(scene))
        assert read.dtype == DATASET.dtype and read.shape == (1, len(BANDS), 64, 64)
        np.testing.assert_array_equal(read[0], image)
        np.testing.assert_array_equal(scene.target(whole(scene)), mask)
        assert mask.any() and not mask.all()


def test_layout_is_the_published_one(simulated):
    root = simulated(DATASET, train=3, val=2, test=1)
    for split, count in (("train", 3), ("validate", 2), ("test", 1)):
        images = sorted(path.name for path in (root / FOLDER / split / "images").glob("*.tif"))
        masks = sorted(path.name for path in (root / FOLDER / split / "masks").glob("*.tif"))
        assert images == masks and len(images) == count
    assert tuple(FOLDERS.values()) == ("train", "validate", "test")


def test_boundaries_part_the_fields():
    land = draw_landscape((3, "fields"), (96, 96), 4.0, "smallholder", doy=200)
    lines = recipe.boundaries(land)
    thin = recipe.boundaries(land.change(gsd=10.0))
    assert thin.sum() < lines.sum()  # ten metres are one pixel there and two here
    # Next to each other without a line between: one field.
    fields = (land.parcel > 0) & (lines == 0)
    beside = fields[:, :-1] & fields[:, 1:]
    same = land.parcel[:, :-1] == land.parcel[:, 1:]
    crops = land.shows(*recipe.CROPS, "bare_field")
    beside &= crops[:, :-1] & crops[:, 1:]
    assert beside.sum() > 1000 and same[beside].all()


@pytest.mark.parametrize(("gsd", "marked"), [(10.0, [7]), (4.0, [7, 8]), (2.5, [6, 7, 8, 9])])
def test_a_boundary_lies_on_either_side_of_the_edge_between_two_fields(gsd, marked):
    land = draw_landscape((3, "fields"), (16, 16), gsd, "cropland", doy=200)
    maize = code("maize")
    parcel = np.where(np.arange(16) < 8, 1, 2)[None].repeat(16, 0)
    for turned in (False, True):
        cover = np.full_like(land.cover, maize)
        fields = land.change(cover=cover, parcel=parcel.T if turned else parcel)
        lines = recipe.boundaries(fields)
        across = lines.T if turned else lines
        assert (across == np.isin(np.arange(16), marked)).all()


def test_bands_gaps_and_windows_keep_their_places(tiny):
    root = tiny(DATASET)
    planes = 1000 * np.arange(1, 5, dtype=np.float32)[:, None, None]
    slope = np.arange(64 * 64, dtype=np.float32).reshape(64, 64) // 8

    def with_gap(_):
        pixels = planes + slope
        pixels[:, 20:24, 30:34] = np.nan
        return pixels

    rewrite(first(root), with_gap)
    rewrite(first(root, "masks"), lambda mask: mask * np.uint8(255))
    scene = next(scene for scene in DATASET.scenes(root) if first(root) in scene.files)
    image = scene.image(Window(16, 24, 16, 20))
    expected = (planes + slope)[:, 16:32, 24:44]
    gap = np.zeros((16, 20), bool)
    gap[4:8, 6:10] = True
    assert (image[0][:, gap] == 0).all()
    np.testing.assert_array_equal(image[0][:, ~gap], expected[:, ~gap])
    assert set(np.unique(scene.target(Window(0, 0, 64, 64)))) == {0, 1}
    assert DATASET.nodata == 0


IMAGE, MASK = (f"{FOLDER}/train/{kind}/*.tif" for kind in ("images", "masks"))
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("images not found; expected tiles", rename(f"{FOLDER}/validate", "val")),
    (r"images holds no \*.tif; expected tiles", empty(f"{FOLDER}/test/images")),
    (r"\.tif has 3 band\(s\) of \w+; expected 4", pixels(IMAGE, lambda p: p[:3])),
    (
        r"\.tif holds the value 0\.\d+; expected reflectance times 10,000",
        pixels(IMAGE, lambda p: p.astype(np.float32) / 10_000),
    ),
    (
        r"\.tif holds the value 1; expected 0 and one other",
        pixels(MASK, lambda mask: np.arange(mask.size).reshape(mask.shape) % 3),
    ),
)
