"""Samples: the bands asked for, standardised, and image and target seen through one view."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from eosfm.core.errors import EosfmError
from eosfm.tiles.dataset import TileDataset, collate_boxes
from eosfm.tiles.store import TileStore
from eosfm.tiles.views import View, turned_boxes
from tests.tiles.conftest import draw, draw_mask, draw_scenes, make_scene, make_store

RGB = ["red", "green", "blue"]


def test_standardised_by_name(store):
    sample = TileDataset(store, "train", ["blue", "B04"])[0]
    native = store.split("train").image(0).astype(np.float64)
    for channel, (band, position) in enumerate([("blue", 2), ("red", 0)]):
        expected = (native[:, position] - store.mean[band]) / store.std[band]
        np.testing.assert_allclose(sample["image"][:, channel], expected, atol=1e-5)
    assert sample["image"].dtype == torch.float32 and sample["index"] == 0
    assert sample["mask"].dtype == torch.int64
    np.testing.assert_array_equal(sample["mask"], store.split("train").target(0))


def test_repeated_band(store):
    image = TileDataset(store, "train", ["red", "green", "green"])[3]["image"]
    assert image.shape == (1, 3, 16, 16)
    assert torch.equal(image[:, 1], image[:, 2]) and not torch.equal(image[:, 0], image[:, 1])


def test_unknown_band(store):
    with pytest.raises(EosfmError, match="has no band 'B11'; it has red, green, blue"):
        TileDataset(store, "train", ["red", "B11"])


def test_physical_values(store):
    image = TileDataset(store, "train", RGB, standardize=False)[0]["image"]
    np.testing.assert_array_equal(image, store.split("train").image(0))


@pytest.mark.parametrize("standardize", [True, False])
def test_unmeasured_and_padded_pixels(tmp_path, standardize):
    """10x10 in a 16 px tile, two pixels of nodata; one dark pixel is a measurement."""
    image = draw(0, 10, 10)
    image[..., 0, :2] = 0
    image[:, 0, 5, 5] = 0
    store = make_store(tmp_path, [make_scene("s", "train", image, draw_mask(0, 10, 10))], 16,
                       nodata=0)  # fmt: skip
    sample = TileDataset(store, "train", ["red"], standardize=standardize)[0]
    blank = torch.ones(16, 16, dtype=torch.bool)
    blank[:10, :10] = False
    blank[0, :2] = True
    assert torch.equal(sample["mask"] == 255, blank)
    neutral = 0.0 if standardize else np.float32(store.mean["red"])
    assert (sample["image"][0, 0][blank] == neutral).all()
    assert (sample["image"][0, 0][~blank] != neutral).all()


def test_nan_bands(tmp_path):
    """Red is NaN at one pixel: unknown to who reads red alone, not to who reads all bands."""
    image = draw(0, 8, 8).astype(np.float32)
    image[0, 0, 2, 3] = np.nan
    store = make_store(tmp_path, [make_scene("s", "train", image, draw_mask(0, 8, 8))], 8,
                       dtype="float32")  # fmt: skip
    for bands, unknown in ((["red"], 1), (RGB, 0)):
        sample = TileDataset(store, "train", bands)[0]
        assert sample["image"][0, 0, 2, 3] == 0 and torch.isfinite(sample["image"]).all()
        assert (sample["mask"] == 255).sum() == unknown


@pytest.mark.parametrize(("kind", "unknown"), [("change", True), ("segmentation", False)])
def test_two_dates(tmp_path, kind, unknown):
    """A pixel measured at one date of two: a class may be known, a change is not."""
    image = draw(0, 8, 8, dates=2)
    image[1, :, 4, 4] = 0
    store = make_store(tmp_path, [make_scene("s", "train", image, draw_mask(0, 8, 8))], 8,
                       kind=kind, nodata=0)  # fmt: skip
    sample = TileDataset(store, "train", RGB)[0]
    assert sample["image"].shape == (2, 3, 8, 8)
    assert (sample["mask"][4, 4] == 255) == unknown
    assert (sample["image"][1, :, 4, 4] == 0).all() and (sample["image"][0, :, 4, 4] != 0).all()


def test_regression_target(tmp_path):
    image = draw(0, 8, 8)
    image[..., 1, 1] = 0
    heights = np.random.default_rng(0).uniform(0, 30, (8, 8)).astype(np.float32)
    store = make_store(tmp_path, [make_scene("s", "train", image, heights)], 8,
                       kind="regression", nodata=0)  # fmt: skip
    target = TileDataset(store, "train", RGB)[0]["mask"]
    assert target.dtype == torch.float32 and torch.isnan(target).sum() == 1
    assert target[0, 0] == heights[0, 0]


@pytest.mark.parametrize(
    ("kind", "label"),
    [("classification", np.int64(2)), ("multilabel", np.array([1, 0, 0, 1], np.uint8))],
)
def test_labels(tmp_path, kind, label):
    scenes = [make_scene("s", "train", draw(0, 8, 8), label, False)]
    target = TileDataset(make_store(tmp_path, scenes, None, kind=kind), "train", RGB)[0]["label"]
    assert target.dtype == torch.int64 and target.tolist() == label.tolist()


def self_labelled(path, height=24, width=24, tile=24) -> TileStore:
    """Two dates whose pixels and target all hold the same number, unique in the tile."""
    number = np.arange(1, height * width + 1, dtype=np.float32).reshape(height, width)
    image = np.broadcast_to(number, (2, 3, height, width)).copy()
    return make_store(path, [make_scene("s", "train", image, number)], tile,
                      kind="regression", dtype="float32")  # fmt: skip


def test_crop_and_augmentation_keep_image_and_target_aligned(tmp_path):
    dataset = TileDataset(
        self_labelled(tmp_path), "train", RGB, crop=8, moves="turns", standardize=False
    )
    corners, steps = set(), set()
    for epoch in range(200):
        dataset.set_epoch(epoch)
        sample = dataset[0]
        target = sample["mask"]
        assert sample["image"].shape == (2, 3, 8, 8)
        assert (sample["image"] == target).all()
        corners.add(int(target.min()))
        steps.add((int(target[0, 1] - target[0, 0]), int(target[1, 0] - target[0, 0])))
    assert len(steps) == 8  # the eight symmetries of the square
    assert len(corners) > 100  # of 17 * 17 windows


def test_flips_are_two_mirrors(tmp_path):
    dataset = TileDataset(self_labelled(tmp_path, 6, 6, None), "train", RGB, moves="flips",
                          standardize=False)  # fmt: skip
    seen = set()
    for epoch in range(40):
        dataset.set_epoch(epoch)
        assert (dataset[0]["image"] == dataset[0]["mask"]).all()
        seen.add(tuple(dataset[0]["mask"][0, :2].int().tolist()))
    assert seen == {(1, 2), (6, 5), (31, 32), (36, 35)}


def test_a_scaling_of_one_s_own_leaves_gaps_at_the_mean(store):
    tiles = TileDataset(store, "train", ["red", "green"], scaling=((5.0, 0.0), (2.0, -4.0)))
    plain = TileDataset(store, "train", ["red", "green"], standardize=False)
    for index in range(3):
        image = plain[index]["image"]
        expected = torch.stack([(image[:, 0] - 5) / 2, image[:, 1] / -4], dim=1)
        torch.testing.assert_close(tiles[index]["image"], expected)


def test_oblong_tiles_are_not_turned_by_a_quarter(tmp_path):
    dataset = TileDataset(self_labelled(tmp_path, 6, 9, None), "train", RGB, moves="turns",
                          standardize=False)  # fmt: skip
    seen = set()
    for epoch in range(40):
        dataset.set_epoch(epoch)
        assert (dataset[0]["image"] == dataset[0]["mask"]).all()
        seen.add(int(dataset[0]["mask"][0, 0]))
    assert seen == {1, 9, 46, 54}


def test_crops_keep_clear_of_padding(tmp_path):
    dataset = TileDataset(self_labelled(tmp_path, 12, 20, 32), "train", RGB, crop=10)
    for epoch in range(30):
        dataset.set_epoch(epoch)
        assert torch.isfinite(dataset[0]["mask"]).all()


def test_crop_larger_than_the_tile_is_the_tile(store):
    assert TileDataset(store, "train", RGB, crop=512)[0]["image"].shape == (1, 3, 16, 16)


def test_crops_follow_seed_epoch_and_index(store):
    def images(seed, epoch):
        dataset = TileDataset(store, "train", RGB, crop=8, moves="turns", seed=seed)
        dataset.set_epoch(epoch)
        return torch.stack([sample["image"] for sample in dataset.__getitems__(range(24))])

    assert torch.equal(images(1, 2), images(1, 2))
    assert not torch.equal(images(1, 2), images(1, 3))
    assert not torch.equal(images(1, 2), images(2, 2))


def test_batches_equal_single_samples(store):
    dataset = TileDataset(store, "train", ["green", "red"], crop=8, moves="turns")
    for index, sample in zip([5, 0, 23], dataset.__getitems__([5, 0, 23]), strict=True):
        alone = dataset[index]
        assert sample["index"] == index
        assert torch.equal(sample["image"], alone["image"])
        assert torch.equal(sample["mask"], alone["mask"])


def test_plain_loader_and_iteration(store):
    dataset = TileDataset(store, "val", RGB)
    batch = next(iter(DataLoader(dataset, batch_size=5)))
    assert batch["image"].shape == (5, 1, 3, 16, 16) and batch["mask"].shape == (5, 16, 16)
    assert batch["index"].tolist() == [0, 1, 2, 3, 4]
    assert len(list(dataset)) == len(dataset) == 12


def test_boxes_move_with_the_pixels(tmp_path):
    """A bright rectangle and its box, through every view."""
    image = draw(0, 32, 32) % 10 + 1
    image[..., 10:14, 5:13] = 5000
    scenes = [make_scene("s", "train", image, np.array([[5, 10, 13, 14, 2]], np.float32), False)]
    store = make_store(tmp_path, scenes, 32, kind="detection")
    dataset = TileDataset(store, "train", RGB, crop=20, moves="turns", standardize=False)
    lost = 0
    for epoch in range(100):
        dataset.set_epoch(epoch)
        sample = dataset[0]
        rows, cols = np.nonzero(sample["image"][0, 0].numpy() > 1000)
        if len(rows) < 0.3 * 4 * 8:  # too little of it to tell what it is
            lost += 1
            assert sample["bbox_xyxy"].shape == (0, 4) and sample["label"].shape == (0,)
            continue
        box = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
        assert sample["bbox_xyxy"].tolist() == [box] and sample["label"].tolist() == [2]
    assert lost < 50
    batch = collate_boxes([dataset[0], dataset[0]])
    assert batch["image"].shape == (2, 1, 3, 20, 20) and len(batch["bbox_xyxy"]) == 2


@pytest.mark.parametrize(
    ("view", "moved"),
    [
        (View(0, 0, 0, False), [[5, 10, 13, 14, 2]]),
        (View(8, 4, 0, False), [[1, 2, 9, 6, 2]]),
        (View(8, 4, 0, True), [[11, 2, 19, 6, 2]]),
        (View(8, 4, 1, False), [[2, 11, 6, 19, 2]]),  # counterclockwise
        (View(8, 4, 2, False), [[11, 14, 19, 18, 2]]),
        (View(8, 4, 3, True), [[2, 1, 6, 9, 2]]),
        (View(0, 10, 0, False), [[0, 10, 3, 14, 2]]),  # 3 of 8 columns
        (View(0, 11, 0, False), []),  # 2 of 8
    ],
)
def test_boxes_by_hand(view, moved):
    boxes = np.array([[5, 10, 13, 14, 2]], np.float32)
    assert turned_boxes(boxes, view, (20, 20)).tolist() == moved


def test_workers_read_the_same(store):
    dataset = TileDataset(store, "train", RGB)
    images = torch.cat([batch["image"] for batch in DataLoader(dataset, 12, num_workers=1)])
    assert torch.equal(images[7], dataset[7]["image"])
    assert len(pickle.dumps(dataset)) < 4000  # a spawned worker maps the pixels itself


def test_splits_differ(tmp_path):
    store = make_store(tmp_path, draw_scenes(16, 16), 16)
    assert not torch.equal(
        TileDataset(store, "val", RGB)[0]["image"], TileDataset(store, "test", RGB)[0]["image"]
    )
