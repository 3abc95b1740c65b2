"""Which training tiles carry labels, and which an epoch sees several times."""

from functools import partial

import numpy as np
import pytest

from eosfm.features.labels import labelled_subset as any_subset
from eosfm.features.labels import repeated

labelled_subset = partial(any_subset, by="rarest")
by_thirds = partial(any_subset, by="thirds")


class Store:
    """What the subset looks at of a tile store."""

    ignore_index = 255

    def __init__(self, kind, targets, classes):
        self.kind, self.targets, self.classes = kind, targets, tuple(map(str, range(classes)))

    def split(self, name):
        return self

    def __len__(self):
        return len(self.targets)

    def target(self, i):
        return self.targets[i]


def test_every_class_keeps_its_share():
    targets = np.repeat([0, 1, 2], [60, 30, 10])
    kept = labelled_subset(Store("classification", targets, 3), "train", 0.1, seed=0)
    assert np.bincount(targets[kept]).tolist() == [6, 3, 1]
    assert (np.diff(kept) > 0).all()


def test_a_class_of_one_tile_is_kept():
    targets = np.array([0] * 50 + [1])
    kept = labelled_subset(Store("classification", targets, 2), "train", 0.02, seed=1)
    assert set(targets[kept]) == {0, 1}


def test_a_segmentation_tile_belongs_to_its_rarest_class():
    common, both = np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint8)
    both[0] = 1
    store = Store("segmentation", [common] * 36 + [both] * 4, 2)
    kept = labelled_subset(store, "train", 0.25, seed=3)
    assert (kept >= 36).sum() == 1
    assert (kept < 36).sum() == 9


def test_unlabelled_pixels_are_no_class():
    store = Store("segmentation", [np.full((4, 4), 255)] * 10, 2)
    assert len(labelled_subset(store, "train", 0.2, seed=0)) == 2


def test_regression_is_binned_by_mean():
    store = Store("regression", [np.full((2, 2), float(i)) for i in range(100)], 1)
    kept = labelled_subset(store, "train", 0.1, seed=0)
    assert np.bincount(kept // 20).tolist() == [2, 2, 2, 2, 2]


def test_multilabel_keeps_rare_labels():
    rows = [np.array([1, 0])] * 45 + [np.array([1, 1])] * 5
    kept = labelled_subset(Store("multilabel", rows, 2), "train", 0.2, seed=0)
    assert (kept >= 45).sum() == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_decides_and_one_means_all(seed):
    store = Store("classification", np.zeros(50, int), 1)
    kept = labelled_subset(store, "train", 0.2, seed)
    assert np.array_equal(kept, labelled_subset(store, "train", 0.2, seed))
    assert not np.array_equal(kept, labelled_subset(store, "train", 0.2, seed + 10))
    assert labelled_subset(store, "train", 1.0, seed).tolist() == list(range(50))


def tile(*shares):
    """One row of 12 pixels, with so many of each class; the rest is not labelled."""
    row = np.repeat(np.arange(len(shares)), shares)
    return np.pad(row, (0, 12 - len(row)), constant_values=255)[None].astype(np.uint8)


def test_tiles_whose_classes_cover_the_same_thirds_are_one_stratum():
    # Shares count among labelled pixels: 4 of 6 and 8 of 12 are the same.
    groups = [tile(12), tile(8, 4), tile(4, 2), tile(4, 8), tile(5, 5, 2), tile(6, 5, 1)]
    store = Store("segmentation", [one for one in groups for _ in range(10)], 3)
    kept = by_thirds(store, "train", 0.35, seed=0)
    counts = np.bincount(kept // 10, minlength=6)
    assert counts[[0, 3]].tolist() == [3, 3]  # rounded down
    assert counts[1] + counts[2] == 7 and counts[4] + counts[5] == 7


def test_a_tile_without_labels_is_a_stratum_of_thirds():
    store = Store("segmentation", [tile(12)] * 20 + [tile()], 1)
    assert 20 in by_thirds(store, "train", 0.1, seed=0)


def test_thirds_of_a_regression_are_those_of_the_range():
    means = [0.0] * 20 + [5.0] * 20 + [8.9] * 10 + [9.0] * 10
    store = Store("regression", [np.full((2, 2), mean) for mean in means], 1)
    kept = by_thirds(store, "train", 0.1, seed=0)
    assert np.bincount(kept // 20, minlength=3).tolist() == [2, 2, 2]


def test_labels_of_images_are_stratified_alike_by_both():
    store = Store("classification", np.repeat([0, 1], [30, 10]), 2)
    both = [subset(store, "train", 0.1, seed=0) for subset in (by_thirds, labelled_subset)]
    assert np.array_equal(*both)


def test_a_tile_is_seen_as_often_as_the_most_repeated_of_its_classes():
    targets = [tile(12), tile(6, 6), tile(4, 4, 4), tile(0, 0, 12), tile()]
    assert repeated(targets, {1: 2, 2: 3}).tolist() == [1, 2, 3, 3, 1]
