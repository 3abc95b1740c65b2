"""Bands in their own type and pixels, those that say nothing, and what does not fit."""

import numpy as np
import pytest

import eosfm.tiles.shards as shards
from eosfm.core.band_groups import BandGroup
from eosfm.core.errors import EosfmError
from eosfm.datasets.native.spec import Window
from eosfm.tiles.codec import decode_bands, encode_bands
from eosfm.tiles.dataset import TileDataset
from eosfm.tiles.store import TileStore
from tests.tiles.conftest import (
    ROOT,
    assemble,
    cut,
    draw,
    draw_mask,
    make_dataset,
    make_scene,
    make_store,
)

OPTICS = BandGroup(("green", "red"), "uint16", nodata=0, step=2)
GROUPS = (OPTICS, BandGroup(("blue",), "float32"))


def spoilt(value):
    """A store whose green is one value throughout."""
    image = draw(0, 16, 16).astype(np.float32)
    image[:, 1] = value
    return make_dataset([make_scene("s", "train", image, draw_mask(0, 16, 16))], dtype="float32")


def without_green():
    image = draw(0, 16, 16)[:, ::2]
    mask = draw_mask(0, 16, 16)
    return make_dataset([make_scene("s", "train", image, mask, bands=("red", "blue"))])


@pytest.mark.parametrize(
    ("dataset", "fault"),
    [
        (spoilt(7), "is 7 in every training pixel"),
        (spoilt(np.nan), "was measured in no training pixel"),
        (without_green(), "is in none of the files"),
    ],
)
def test_a_band_that_says_nothing_is_refused_where_it_is_asked_for(tmp_path, dataset, fault):
    cut(dataset, tmp_path / "toy", 16)
    store = TileStore(tmp_path / "toy")
    assert store.faults == {"green": fault}
    assert set(store.mean) == set(store.std) == {"red", "blue"}
    image = TileDataset(store, "train", ("blue", "red"), standardize=False)[0]["image"].numpy()
    scene = next(iter(dataset.scenes(ROOT)))
    first, *_, last = scene.image(Window(0, 0, 16, 16))[0]
    np.testing.assert_array_equal(image[0], [last, first])
    with pytest.raises(EosfmError, match=f"band green {fault}; choose among red, blue"):
        TileDataset(store, "train", ("red", "green"))


def test_scenes_of_a_copy_have_the_same_bands(tmp_path):
    some = next(iter(without_green().scenes(ROOT)))
    every = make_scene("all", "val", draw(1, 16, 16), draw_mask(1, 16, 16))
    with pytest.raises(EosfmError, match=r"scene all has the bands red, green, blue; .*red, blue"):
        cut(make_dataset([some, every]), tmp_path / "toy", 16)


def mixed(height=20, width=26, dates=2):
    """An image (T, 3, H, W) whose green and red have pixels twice as large, some unmeasured."""
    rng = np.random.default_rng(5)
    image = rng.normal(size=(dates, 3, height, width)).astype(np.float32)
    coarse = rng.integers(0, 9, (dates, 2, height // 2, width // 2)).astype(np.float32)
    coarse[:, :, 1:4, 2:5] = np.nan
    coarse[np.broadcast_to((coarse == 0).all(axis=1, keepdims=True), coarse.shape)] = np.nan
    coarse[-1, :, :, 1] = np.nan
    image[:, :2] = coarse.repeat(2, axis=2).repeat(2, axis=3)[:, ::-1]
    image[0, 2, 3, 4] = np.nan
    return image


def test_bands_are_stored_in_their_own_type_and_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 4096 + 5 * 2 * 8 * 8 * 4)
    image = mixed()
    mask = draw_mask(0, 20, 26)
    facts = {"dtype": "float32", "nodata": float("nan")}
    scenes = [make_scene("s", "train", image, mask)]
    cut(make_dataset(scenes, groups=GROUPS, **facts), tmp_path / "mixed", 8)
    cut(make_dataset(scenes, **facts), tmp_path / "plain", 8)
    store, plain = TileStore(tmp_path / "mixed"), TileStore(tmp_path / "plain")
    folder = store.path / "train"
    assert np.load(folder / "images-uint16-2px-00000.npy").shape == (5, 2, 2, 4, 4)
    assert np.load(folder / "images-uint16-2px-00000.npy").dtype == np.uint16
    assert np.load(folder / "images-float32-00002.npy").shape == (2, 2, 1, 8, 8)
    assert (store.dtype, store.mean, store.valid) == (plain.dtype, plain.mean, plain.valid)
    found, target, count = assemble(store.split("train"), "s", 20, 26)
    np.testing.assert_array_equal(found, image)
    np.testing.assert_array_equal(target, mask)
    assert (count == 1).all()
    for bands in (("red", "green", "blue"), ("blue", "green"), ("red",), ("blue", "blue")):
        for options in ({}, {"crop": 5, "moves": "turns", "standardize": False}):
            ours, theirs = (TileDataset(s, "train", bands, **options) for s in (store, plain))
            for one, other in zip(ours, theirs, strict=True):
                assert one["image"].dtype == other["image"].dtype
                for key in ("image", "mask"):
                    np.testing.assert_array_equal(one[key], other[key])


def test_gaps_of_one_group_of_whole_numbers_are_none_of_the_others(tmp_path):
    image = draw(0, 16, 16).astype(np.float32)
    image[:, :2] = image[:, :2, ::2, ::2].repeat(2, axis=2).repeat(2, axis=3)
    image[:, :2, 4:8] = np.nan
    image[:, 2, 6:10] = np.nan
    facts = {"dtype": "float32", "nodata": float("nan")}
    scenes = [make_scene("s", "train", image, draw_mask(0, 16, 16))]
    whole = (OPTICS, BandGroup(("blue",), "uint16", nodata=0))
    cut(make_dataset(scenes, groups=whole, **facts), tmp_path / "whole", 16)
    cut(make_dataset(scenes, **facts), tmp_path / "plain", 16)
    store, plain = TileStore(tmp_path / "whole"), TileStore(tmp_path / "plain")
    np.testing.assert_array_equal(store.split("train").image(0), image)
    ours, theirs = (TileDataset(s, "train", ("blue", "red"))[0] for s in (store, plain))
    np.testing.assert_array_equal(ours["image"], theirs["image"])
    whole_numbers = {"dtype": "int32", "nodata": None}
    for wrong, told in ((whole_numbers, "int32 does not hold all"), ({"nodata": 0}, "is 0; give")):
        with pytest.raises(EosfmError, match=told):
            make_dataset(scenes, groups=whole, **facts | wrong)


def test_tiles_that_would_cut_coarse_pixels_are_refused(tmp_path):
    scenes = [make_scene("s", "train", mixed(), draw_mask(0, 20, 26))]
    dataset = make_dataset(scenes, groups=GROUPS, dtype="float32", nodata=float("nan"))
    with pytest.raises(EosfmError, match=r"tiles of 9 px .* of green, red, which are 2 px wide;"):
        cut(dataset, tmp_path / "toy", 9)


@pytest.mark.parametrize(("dtype", "gap"), [("uint8", 255), ("int16", -9999)])
def test_what_was_not_measured_has_the_value_that_the_group_gives_it(dtype, gap):
    image = np.array([[[[np.nan, np.nan, 3], [np.nan, np.nan, 3]]]], np.float32)
    group = BandGroup(("green",), dtype, nodata=gap, step=2)
    stored = encode_bands(image, group, "s")
    assert stored.dtype == dtype and stored.tolist() == [[[[gap, 3]]]]
    back = decode_bands(stored, group, "float32")
    np.testing.assert_array_equal(back, [[[[np.nan, 3]]]])


@pytest.mark.parametrize("value", [-1, 70_000, 2.5])
def test_what_does_not_fit_a_group_is_refused(tmp_path, value):
    image = mixed()
    image[0, 0, :2, :2] = value
    dataset = make_dataset(
        [make_scene("s", "train", image, draw_mask(0, 20, 26))],
        groups=GROUPS, dtype="float32", nodata=float("nan"),
    )  # fmt: skip
    with pytest.raises(EosfmError, match=r"scene s: bands green, red do not fit uint16, 0 in all"):
        cut(dataset, tmp_path / "toy", 8)


def test_targets_are_stored_in_the_steps_of_the_files(tmp_path):
    height = np.arange(20, dtype=np.uint16).reshape(4, 5) * 3276 / np.float32(10)
    height[0, 0] = np.nan
    facts = {"kind": "regression", "target_steps": 10, "target_unit": "m"}
    scene = make_scene("s", "train", draw(0, 4, 5), height)
    store = make_store(tmp_path, [scene], 4, **facts)
    split = store.split("train")
    stored = np.load(split.path / "targets-00000.npy")
    assert stored.dtype == np.uint16 and stored[0, 0].tolist() == [65535, 3276, 6552, 9828]
    assert split.target(0).dtype == np.float32
    np.testing.assert_array_equal(split.target(0), height[:, :4])
    assert np.isnan(split.target(1)[:, 1:]).all()
    assert store.target_unit == "m"
    height[3, 3] = 0.25
    with pytest.raises(EosfmError, match=r"scene s: the target holds other values than 0 to 65534"):
        cut(make_dataset([scene], **facts), tmp_path / "toy", 4)
