"""The best specialist alone is found by short fits of the same head."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eosfm.core.splits import Splits
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.head import run_head
from eosfm.evaluation.single import best_single, shortened
from tests.evaluation.signals import SIZE, enlarged, noise_and_signal


@pytest.fixture
def splits():
    """Halves that are bright or dark, and four specialists of which the third knows."""
    rng = np.random.default_rng(0)

    def draw(seed):
        small = torch.from_numpy(rng.integers(0, 2, (24, SIZE // 4, SIZE // 4)))
        return noise_and_signal(enlarged(small), 2, 1, seed)

    return Splits(*map(draw, (1, 2, 3)))


def test_short_fits_decide_who_gets_the_whole_protocol(resolve, splits, monkeypatch):
    monkeypatch.setattr("eosfm.evaluation.single.SHORTLIST", 3)
    task = resolve("segmentation", protocol={"epochs": 4, "steps_per_epoch": 20}).with_linear_head()
    fitted = []

    def fit(task, fusion, splits, count, context):
        result = run_head(task, fusion, splits, count, context)
        protocol = task.protocol
        steps = protocol.epochs * protocol.steps_per_epoch
        fitted.append((splits.train.specialists[0], steps, splits.test.days is splits.val.days))
        return result

    monkeypatch.setattr("eosfm.evaluation.single.run_head", fit)
    best = best_single(task, FIXED, splits, 1)
    assert best.selected == ("s2",)
    assert [steps for _, steps, _ in fitted] == [20] * 3 + [80]
    # Nobody's test tiles decide who is chosen.
    assert all(blind == (steps < 80) for _, steps, blind in fitted)


def test_errors_are_better_when_small(resolve, splits):
    values = splits.map(
        lambda split: replace(
            split, source=replace(split.source, by_tile=split.source.by_tile.astype(np.float32))
        )
    )
    task = resolve("regression", protocol={"epochs": 4, "steps_per_epoch": 20})
    task = replace(task.with_linear_head(), metric="rmse")
    assert best_single(task, FIXED, values, 1).selected == ("s2",)


@pytest.mark.parametrize(
    ("epochs", "found"), [(6, (1, 45)), (80, (20, 30)), (10, (2, 38)), (1, (1, 8))]
)
def test_a_short_fit_has_a_quarter_of_the_steps(resolve, epochs, found):
    protocol = resolve("segmentation", protocol={"epochs": epochs}).protocol
    short = shortened(protocol, 30)
    assert (short.epochs, short.steps_per_epoch) == found
