import numpy as np
import pytest

from eosfm.features.labels import labelled_subset


class Store:
    """The three things of a tile store that the subset looks at."""

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
