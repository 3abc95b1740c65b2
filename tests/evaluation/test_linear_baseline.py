"""The linear baseline knows pixels and no texture."""

import numpy as np
import pytest
import torch

from eosfm.core.splits import Splits
from eosfm.evaluation.linear_baseline import best_linear, linear_baseline
from eosfm.evaluation.trial import make_trials
from eosfm.features.source import Request


class Pictures:
    """Images and targets in memory, as a Reading gives them."""

    def __init__(self, images: torch.Tensor, targets: torch.Tensor) -> None:
        self.images, self.targets = images, targets

    def __len__(self) -> int:
        return len(self.images)

    def whole(self):
        return self

    def chunks(self):
        return [Request(np.arange(len(self)))]

    def stream(self, requests):
        return ((self.images[items], self.targets[items]) for items, _ in requests)

    @property
    def indices(self):
        return np.arange(len(self))


@pytest.fixture
def score(resolve):
    """``score(name, draw)``: test score of the baseline on what ``draw(rng, n)`` gives."""

    def run(name, draw):
        rng = np.random.default_rng(0)
        readings = Splits.of(lambda split: Pictures(*draw(rng, 24)))
        seen = readings.train.targets.numpy()
        (trial,) = make_trials(resolve(name), seen if seen.ndim == 1 else list(seen), 1)
        return linear_baseline(trial, *best_linear(trial, readings), readings).test

    return run


def test_pixels_solve_what_is_linear_in_pixel_values(score):
    def draw(rng, count):
        image = torch.from_numpy(rng.normal(size=(count, 1, 3, 16, 16))).float()
        return image, (image[:, 0, 0] - image[:, 0, 2] > 0.3).long()

    assert score("segmentation", draw)["miou"] > 0.95


def test_pixels_solve_a_linear_regression(score):
    def draw(rng, count):
        image = torch.from_numpy(rng.normal(size=(count, 2, 2, 8, 8))).float()
        target = 40 + 5 * image[:, 0, 1] - 2 * image[:, 1, 0]
        target[:, 0] = torch.nan
        return image, target

    assert score("regression", draw)["r2"] > 0.99


def test_pixels_solve_labels_that_follow_band_means(score):
    def draw(rng, count):
        label = torch.from_numpy(rng.integers(0, 2, count))
        image = torch.from_numpy(rng.normal(size=(count, 1, 3, 8, 8))).float()
        return image + label[:, None, None, None, None], label

    assert score("classification", draw)["accuracy"] == 1.0


def test_pixels_fail_on_texture(score):
    """Stripes or checks of the same two values: no pixel and no mean tells which."""

    def draw(rng, count):
        label = torch.from_numpy(rng.integers(0, 2, count))
        rows, cols = np.indices((16, 16))
        stripes, checks = (torch.from_numpy(p % 2).float() for p in (cols, rows + cols))
        image = torch.where(label[:, None, None].bool(), stripes, checks)[:, None, None]
        return image, label[:, None, None].expand(-1, 16, 16).contiguous()

    assert score("segmentation", draw)["miou"] < 0.5


def test_rare_labels_are_found(score):
    """One pixel in two hundred has a label, and every one of these counts."""

    def draw(rng, count):
        image = torch.from_numpy(rng.normal(size=(count, 1, 3, 40, 40))).float()
        target = (image[:, 0, 0] > 0).long()
        hidden = torch.from_numpy(rng.random((count, 40, 40)) > 0.005)
        return image, target.masked_fill(hidden, 255)

    assert score("segmentation", draw)["miou"] > 0.9
