"""Cutting: what goes into a store comes out of it, once, and nothing else does."""

import hashlib
import json
import os
import subprocess
import time
import tracemalloc
from dataclasses import replace
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eosfm.tiles.shards as shards
import eosfm.tiles.tiling as cutting
from eosfm.core.errors import EosfmError
from eosfm.datasets import get_dataset
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import too_little_ground
from tests.tiles.conftest import (
    assemble,
    cut,
    draw,
    draw_mask,
    draw_scenes,
    make_dataset,
    make_scene,
    make_store,
)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    tile=st.integers(1, 24),
    dates=st.integers(1, 2),
    dtype=st.sampled_from(["uint8", "uint16", "int16", "float32"]),
    rows=st.integers(1, 13),
)
def test_round_trip(tmp_path_factory, height, width, tile, dates, dtype, rows):
    """Every pixel comes back exactly once, however the reading windows fall."""
    image = np.random.default_rng(0).integers(0, 99, (dates, 3, height, width)).astype(dtype)
    image[0, :, 0, 0], image[-1, :, -1, -1] = 1, 2  # every band varies, unless one pixel is all
    if height == width == 1:
        return
    mask = draw_mask(0, height, width)
    dataset = make_dataset([make_scene("s", "train", image, mask)], dtype=dtype)
    out = tmp_path_factory.mktemp("store") / "toy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "WINDOW_BYTES", 1)
        patch.setattr(cutting, "WINDOW_ROWS", rows)
        cut(dataset, out, tile)
    split = TileStore(out).split("train")
    found, target, count = assemble(split, "s", height, width)
    np.testing.assert_array_equal(found, image)
    np.testing.assert_array_equal(target, mask)
    assert (count == 1).all()
    assert found.dtype == np.dtype(dtype)


def test_padding_is_unlabelled(store):
    split = store.split("train")
    edge = split.table[(split.table.row == 32) & (split.table.col == 48)].index[0]
    assert tuple(split.extents[edge]) == (8, 2)
    assert (split.target(edge)[8:] == 255).all() and (split.target(edge)[:, 2:] == 255).all()
    assert (split.image(edge)[..., 8:, :] == 0).all()


def test_splits_do_not_mix(store):
    scenes = {name: set(store.split(name).table.scene) for name in store.splits}
    assert scenes == {"train": {"s0", "s1"}, "val": {"s2"}, "test": {"s3"}}


def test_blank_tiles_are_dropped(tmp_path):
    scenes = draw_scenes(32, 32)
    image = draw(7, 32, 32)
    image[..., :16, :] = 0
    scenes.append(make_scene("half", "train", image, draw_mask(7, 32, 32)))
    said = cut(make_dataset(scenes, nodata=0), tmp_path / "toy", 16)
    assert said == "18 tiles (train 10, val 4, test 4), 2 without data dropped"


def test_a_date_that_shows_nothing_of_a_tile_has_no_day_there(tmp_path):
    image = draw(7, 16, 32, dates=2)
    image[1, :, :, 16:] = 0
    days = ("2020-05-01", "2020-06-01")
    scene = make_scene("series", "train", image, draw_mask(7, 16, 32), dates=days)
    cut(make_dataset([scene], nodata=0), tmp_path / "toy", 16, splits=["train"])
    stored = TileStore(tmp_path / "toy").split("train").table["dates"]
    assert [list(of) for of in stored] == [list(days), ["2020-05-01", ""]]


@pytest.mark.parametrize(
    ("kind", "target", "shape", "dtype"),
    [
        ("classification", np.int64(3), (), np.int64),
        ("multilabel", np.array([1, 0, 1, 0], np.uint8), (4,), np.uint8),
        ("detection", np.array([[1, 2, 3, 4, 0], [0, 0, 9, 9, 2]], np.float32), (2, 5), np.float32),
    ],
)  # fmt: skip
def test_whole_images(tmp_path, kind, target, shape, dtype):
    scenes = [make_scene(f"s{i}", "train", draw(i, 10, 10), target, False) for i in range(3)]
    split = make_store(tmp_path, scenes, None, kind).split("train")
    assert len(split) == 3 and split.image(1).shape == (1, 3, 10, 10)
    np.testing.assert_array_equal(split.target(1), target)
    assert split.target(1).shape == shape and split.target(1).dtype == dtype


def test_detection_without_boxes(tmp_path):
    boxes = [np.zeros((0, 5)), np.array([[1, 2, 3, 4, 1]]), np.zeros((0, 5))]
    scenes = [make_scene(f"s{i}", "train", draw(i, 8, 8), b, False) for i, b in enumerate(boxes)]
    split = make_store(tmp_path, scenes, 8, "detection").split("train")
    assert [len(split.target(i)) for i in range(3)] == [0, 1, 0]


def test_regression_keeps_what_is_unlabelled(tmp_path):
    height = np.arange(20, dtype=np.float32).reshape(4, 5)
    height[0, 0] = np.nan
    scenes = [make_scene("s", "train", draw(0, 4, 5), height)]
    split = make_store(tmp_path, scenes, 4, "regression").split("train")
    np.testing.assert_array_equal(split.target(0), height[:, :4])
    assert np.isnan(split.target(1)[:, 1:]).all() and split.target(1)[1, 0] == 9


@pytest.mark.parametrize("ignored", [-9999, 255])
def test_a_class_that_is_nan_is_unlabelled(tmp_path, ignored):
    """A file of real numbers gives NaN where it declares nodata, whatever number that is."""
    mask = draw_mask(1, 8, 8).astype(np.float32)
    mask[2:4] = np.nan
    scenes = [make_scene("a", "train", draw(0, 8, 8), mask)]
    target = make_store(tmp_path, scenes, 8, ignore_index=ignored).split("train").target(0)
    assert (target[2:4] == ignored).all() and (target[4:] == mask[4:]).all()
    with pytest.raises(EosfmError, match=r"label nan; expected 0 to 3; .* give the dataset an"):
        make_store(tmp_path / "none", scenes, 8)


def test_negative_ignore_index(tmp_path):
    mask = draw_mask(0, 8, 8).astype(np.int16)
    mask[0] = -1
    scenes = [make_scene("s", "train", draw(0, 8, 8), mask)]
    store = make_store(tmp_path, scenes, 8, ignore_index=-1)
    assert store.ignore_index == -1
    np.testing.assert_array_equal(store.split("train").target(0), mask)


def test_shards_split_and_join(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 4096 + 5 * 3 * 16 * 16 * 2)
    split = make_store(tmp_path, draw_scenes(), 16).split("train")
    assert len(list(split.path.glob("images-*.npy"))) == 5
    found, _, count = assemble(split, "s1", 40, 50)
    np.testing.assert_array_equal(found, draw(1, 40, 50))
    assert (count == 1).all() and len(split) == 24


def test_footprints(tmp_path):
    """A UTM scene on the equator and the central meridian; the other one has no georeference."""
    where = {"crs": "EPSG:32631", "transform": (10.0, 0.0, 500_000.0, 0.0, -10.0, 1000.0)}
    scenes = [
        make_scene("here", "train", draw(0, 16, 32), draw_mask(0, 16, 32), **where,
                   dates=("2020-05-01",)),
        make_scene("nowhere", "train", draw(1, 16, 16), draw_mask(1, 16, 16)),
    ]  # fmt: skip
    table = make_store(tmp_path, scenes, 16).split("train").table
    assert table.crs.to_epsg() == 4326
    west, south, east, north = table.geometry[1].bounds
    assert west == pytest.approx(3 + 160 / 111_320, abs=2e-6)
    assert (east - west, north - south) == pytest.approx((160 / 111_320, 160 / 110_574), rel=2e-3)
    assert table.geometry[2] is None
    assert table["source"].tolist() == ["train/here.tif"] * 2 + ["train/nowhere.tif"]
    assert list(table["dates"][0]) == ["2020-05-01"] and len(table["dates"][2]) == 0
    assert table["crs"].tolist()[:2] == ["EPSG:32631"] * 2 and table["crs"].isna()[2]


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_bytes_twice(tmp_path):
    for name in ("one", "two", "two"):  # the third replaces the second
        cut(make_dataset(draw_scenes()), tmp_path / name / "toy", 16)
    first = digests(tmp_path / "one")
    assert first == digests(tmp_path / "two")
    assert len(first) == 10
    assert str(tmp_path) not in json.dumps((tmp_path / "one/toy/store.json").read_text())


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_same_bytes_for_any_number_of_workers(tmp_path, monkeypatch, workers):
    """Scenes that are read late come no later into the store."""
    scenes = draw_scenes() + [
        make_scene(f"more{i}", "train", draw(i, 33, 21), draw_mask(i, 33, 21)) for i in range(20)
    ]

    def late(scene):
        def image(window):
            time.sleep(0.02 * (int(hashlib.sha256(scene.id.encode()).hexdigest(), 16) % 3))
            return scene.image(window)

        return replace(scene, image=image)

    monkeypatch.setattr(cutting, "WINDOW_BYTES", 1)
    monkeypatch.setattr(cutting, "WINDOW_ROWS", 8)
    cut(make_dataset(scenes), tmp_path / "one" / "toy", 16)
    late_scenes = [late(scene) for scene in scenes]
    monkeypatch.setattr(cutting, "usable_cores", lambda: workers)
    cut(make_dataset(late_scenes), tmp_path / "two" / "toy", 16)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_only_the_splits_asked_for_are_read_and_cut(tmp_path):
    def refuse(window):
        raise AssertionError("test pixels were read")

    scenes = [
        replace(scene, image=refuse) if scene.split == "test" else scene for scene in draw_scenes()
    ]
    said = cut(make_dataset(scenes), tmp_path / "some" / "toy", 16, splits=("train", "val"))
    assert said == "36 tiles (train 24, val 12), 0 without data dropped"
    assert TileStore(tmp_path / "some" / "toy").splits == ("train", "val")
    cut(make_dataset(draw_scenes()), tmp_path / "all" / "toy", 16)
    some, every = digests(tmp_path / "some"), digests(tmp_path / "all")
    common = {name for name in some if name != "toy/store.json"}
    assert len(common) == 6 and all(some[name] == every[name] for name in common)


def test_memory_is_flat(tmp_path):
    """Six times the scenes take no more memory, and a large scene is not held whole."""

    def scenes(count):
        for i in range(count):
            image = np.full((1, 3, 512, 512), i + 1, np.uint16)
            yield make_scene(f"s{i}", "train", image, draw_mask(i, 512, 512))

    peaks = []
    for count in (8, 48):
        tracemalloc.start()
        cut(make_dataset(lambda root, count=count: scenes(count)), tmp_path / "toy", 64)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 2**20
    assert peaks[1] < 48 * 3 * 512 * 512 * 2 / 4


def test_failure_leaves_the_old_store(tmp_path):
    def broken(root):
        yield from draw_scenes()
        raise EosfmError("scene 5 is damaged")

    out = tmp_path / "toy"
    with pytest.raises(EosfmError, match="damaged"):
        cut(make_dataset(broken), out, 16)
    assert list(tmp_path.iterdir()) == []
    cut(make_dataset(draw_scenes()), out, 16)
    before = digests(out)
    with pytest.raises(EosfmError, match="damaged"):
        cut(make_dataset(broken), out, 16)
    assert digests(out) == before and list(tmp_path.iterdir()) == [out]


def test_leftovers_of_a_killed_run_are_replaced(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / f".toy.{os.uname().nodename}-{dead.pid}-0123abcd.part" / "train").mkdir(
        parents=True
    )
    cut(make_dataset(draw_scenes()), tmp_path / "toy", 16)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_a_split_without_data_is_refused(tmp_path):
    image = np.zeros((1, 3, 16, 16), np.uint16)
    dataset = make_dataset([make_scene("s", "train", image, draw_mask(0, 16, 16))], nodata=0)
    with pytest.raises(EosfmError, match="no training tile"):
        cut(dataset, tmp_path / "toy", 16)
    assert not (tmp_path / "toy").exists()


def test_a_split_that_is_asked_for_and_has_no_tile_is_refused(tmp_path):
    scenes = [scene for scene in draw_scenes() if scene.split != "val"]
    line = "no tile of split val .0 without data dropped.; expected some; have it hold out more"
    with pytest.raises(EosfmError, match=line):
        cut(make_dataset(scenes), tmp_path / "toy", 16, splits=("train", "val"))
    assert not list(tmp_path.iterdir())
    assert make_store(tmp_path, scenes, 16).splits == ("train", "test")


def test_what_is_endless_was_not_measured(tmp_path):
    """Decibels of 0 would make the mean of a band and all its standardised values endless."""
    image = draw(7, 16, 16).astype(np.float32)
    image[:, 1, 0, :2] = -np.inf
    image[:, :, 5, 5] = np.inf
    scene = make_scene("s", "train", image, draw_mask(7, 16, 16))
    store = make_store(tmp_path, [scene], 16, dtype="float32")
    assert not store.faults and all(map(np.isfinite, store.std.values()))
    name = store.bands[1]
    known = image[:, 1][np.isfinite(image[:, 1])]
    assert store.mean[name] == pytest.approx(known.mean(), rel=1e-5)
    assert store.valid[name] == pytest.approx(1 - 3 / 256)


def test_ids_are_the_same_where_a_system_takes_umlauts_apart(tmp_path):
    for form in ("NFC", "NFD"):
        name = normalize(form, "Gr\u00fcn")
        cut(make_dataset([make_scene(name, "train", draw(0, 8, 8), draw_mask(0, 8, 8))]),
            tmp_path / form, 8)  # fmt: skip
    stores = [TileStore(tmp_path / form) for form in ("NFC", "NFD")]
    ids = [store.split("train").table["scene"].tolist() for store in stores]
    assert ids[0] == ids[1] == [normalize("NFC", name)]


def test_a_class_of_many_is_no_ignore_index(tmp_path):
    scenes = [make_scene(f"s{i}", "train", draw(i, 8, 8), np.int64(c), False)
              for i, c in enumerate((255, 3))]  # fmt: skip
    names = tuple(map(str, range(300)))
    store = make_store(tmp_path, scenes, None, "classification", classes=names)
    assert store.ignore_index == -1 and store.target_statistics().labelled == 2


def test_unknown_labels_keep_their_value(tmp_path):
    scene = make_scene("a", "train", draw(0, 8, 8), np.array([-1, 1, 0, 0]), False)
    store = make_store(tmp_path, [scene], None, "multilabel", ignore_index=-1)
    assert store.split("train").target(0).tolist() == [-1, 1, 0, 0]
    assert store.target_statistics().each == (0, 1, 1, 1)


def test_an_ignore_index_of_16_bits_is_stored(tmp_path):
    drawn = draw_mask(0, 8, 8).astype(int)
    mask = np.where(np.isin(drawn, [1, 255]), 65535, drawn)
    scene = make_scene("good", "train", draw(0, 8, 8), mask)
    store = make_store(tmp_path, [scene], 8, ignore_index=65535)
    np.testing.assert_array_equal(store.split("train").target(0), mask)


def test_tiles_that_show_too_little_ground_are_told_of():
    loveda = get_dataset("loveda")
    assert "64 px show 19 m of ground" in str(too_little_ground(loveda, 64))
    assert too_little_ground(loveda, 512) is too_little_ground(loveda, None) is None
    assert too_little_ground(get_dataset("oscd"), 64) is None
