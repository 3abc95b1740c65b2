"""Baselines: all in the same metrics; the linear one knows pixels and no texture."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from eosfm.core.splits import Splits
from eosfm.evaluation.baselines import adapted, random_weights, run_baselines
from eosfm.evaluation.linear_baseline import linear_baseline
from eosfm.features.reading import read_split
from eosfm.features.source import Request
from eosfm.nn.specialist import load_specialist


@pytest.mark.parametrize("name", ["classification", "change"])
def test_baselines_answer_with_the_same_metrics(resolve, artifact, start, features, name):
    task = resolve(name, protocol={"epochs": 2, "steps_per_epoch": 6})
    baselines = run_baselines(task, "convnextv2_atto", features[name], artifact, start, 1.0)
    assert list(vars(baselines)) == ["random", "start", "single", "scratch", "statistics"]
    assert baselines.single.selected in (("colour",), ("pair",))
    assert baselines.scratch.selected == baselines.statistics.selected == ()
    for result in vars(baselines).values():
        assert 0 <= result.test[task.metric] <= 1
        assert result.score == result.test[task.metric]
        assert len(result.fits) == 1 and result.labels == 16
    assert baselines.random.test[task.metric] > 0.6
    assert baselines.start.selected == ("start",)


def test_every_fit_has_random_weights_of_its_own(resolve, artifact):
    task = resolve("segmentation", protocol={"epochs": 1, "steps_per_epoch": 4})
    readings = Splits.of(partial(read_split, task))
    one, two = (random_weights(task, artifact, readings, count, 1.0) for count in (1, 2))
    assert one.fits[0] == two.fits[0] != two.fits[1]


def test_start_weights_see_every_band(resolve, start):
    given = load_specialist(start)
    task = replace(resolve("segmentation"), bands=("blue", "red"))
    found = adapted(given, task)
    assert (found.in_chans, found.bands) == (2, task.bands)
    stem, own = "stem_0.weight", given.state_dict["stem_0.weight"]
    assert torch.allclose(found.state_dict[stem], own[:, :2] * 3 / 2)
    assert found.mean == tuple(task.store.mean[name] for name in task.bands)
    others = given.state_dict.keys() - {stem}
    assert all(torch.equal(found.state_dict[key], given.state_dict[key]) for key in others)


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


@pytest.fixture
def score(resolve):
    """``score(name, draw)``: test score of the baseline on what ``draw(rng, n)`` gives."""

    def run(name, draw):
        rng = np.random.default_rng(0)
        readings = Splits.of(lambda split: Pictures(*draw(rng, 24)))
        return linear_baseline(resolve(name), readings).test

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
