"""The linear baseline knows pixels and no texture."""

import numpy as np
import pytest
import torch

from eosfm.core.splits import Splits
from eosfm.evaluation.linear_baseline import best_linear, fit_linear, linear_baseline
from eosfm.evaluation.trial import make_trials
from eosfm.features.source import Request
from eosfm.heads.linear_model import LinearModel


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


def test_it_is_logistic_regression_with_a_squared_penalty(resolve):
    """Against scipy's minimum of what the page says is minimised."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 3))
    y = (x @ [2.0, -1, 0] + rng.normal(size=80) > 0).astype(int)
    trial = make_trials(resolve("classification", protocol={"class_weights": "none"}), y, 1)[0]
    classes, penalty = len(trial.task.classes), 0.1
    features, targets = torch.from_numpy(x).float(), torch.from_numpy(y)
    model = fit_linear(features, targets, trial, penalty)
    normal = (x - x.mean(0)) / x.std(0, ddof=1)

    def objective(flat: np.ndarray) -> float:
        weight, bias = np.split(flat, [3 * classes])
        logits = normal @ weight.reshape(3, classes) + bias
        likely = logits[np.arange(80), y] - np.log(np.exp(logits).sum(1))
        return float(penalty * (weight**2).sum() - likely.mean())

    flat = minimize(objective, np.zeros(4 * classes)).x
    logits = normal @ flat[: 3 * classes].reshape(3, classes) + flat[3 * classes :]
    expected = torch.from_numpy(logits).softmax(1)
    found = model(features).softmax(1).double()
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


def test_it_is_ridge_regression_in_standard_deviations_of_the_target(resolve):
    """Against the solution in closed form."""
    rng = np.random.default_rng(2)
    x = rng.normal(3, 2, size=(60, 2))
    y = 100 + x @ [9.0, -4.0] + rng.normal(0, 5, 60)
    (trial,) = make_trials(resolve("regression"), y, 1)
    normal, unit = (x - x.mean(0)) / x.std(0, ddof=1), y.std(ddof=1)
    penalty = 0.5
    weight = np.linalg.solve(
        normal.T @ normal / 60 + penalty * np.eye(2), normal.T @ (y - y.mean()) / unit / 60
    )
    features, targets = torch.from_numpy(x).float(), torch.from_numpy(y).float()
    found = fit_linear(features, targets, trial, penalty)(features)[:, 0].detach()
    expected = torch.from_numpy(y.mean() + unit * (normal @ weight)).float()
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0)
    assert expected.std() < 0.8 * unit  # the penalty is felt


def test_a_band_that_does_not_vary_where_it_is_learnt_says_nothing():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(50, 3))).float()
    x[:, 2] = 0.1
    model = LinearModel.scaled_to(x, torch.zeros(50, dtype=torch.long), 2)
    with torch.no_grad():
        model.weight.fill_(1.0)
    elsewhere = x.clone()
    elsewhere[:, 2] += 5
    torch.testing.assert_close(model(elsewhere), model(x))
