"""Ridge regression: against least squares, and with specialists that know nothing."""

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Splits
from eosfm.encoding.input import InputSpec
from eosfm.evaluation.examine import examine
from eosfm.evaluation.forward_selection import standardised
from eosfm.evaluation.moments import PENALTIES, Moments
from eosfm.evaluation.ridge import _explained, _Part, fit_ridge, weigh
from eosfm.evaluation.trial import make_trials
from eosfm.features.frozen import FrozenFeatures, only
from tests.evaluation.signals import WHOLE, in_memory


def samples(count: int, features: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, features, generator=generator, dtype=torch.float64)
    return x, (x[:, :3] > 0).double()


def test_sums_and_samples_give_one_solution():
    x, y = samples(20, 8)
    given = []
    for dual in (True, False):
        moments = Moments(8, 3, dual)
        for rows, truth in zip(x.split(7), y.split(7), strict=True):
            moments.add(rows, truth)
        given.append(list(moments.solve()))
    assert len(given[0]) == len(PENALTIES)
    torch.testing.assert_close(*given)


def test_the_solution_without_penalty_is_that_of_least_squares(monkeypatch):
    monkeypatch.setattr("eosfm.evaluation.moments.PENALTIES", (0.0,))
    x, _ = samples(30, 4)
    moments = Moments(4, 1, dual=False)
    moments.add(x, 2 * x[:, :1] - 3 * x[:, 1:2] + 5)
    ((weights, bias),) = moments.solve()
    torch.testing.assert_close(weights[:, 0], torch.tensor([2.0, -3, 0, 0], dtype=x.dtype))
    torch.testing.assert_close(bias, torch.tensor([5.0], dtype=x.dtype))


def test_a_layer_gives_for_features_as_they_come_what_its_solution_gives_for_scaled_ones():
    x, _ = samples(12, 6)
    x = 7 * x + 3
    part = _Part.of(x, ["a", "b", "a", "c", "c", "c"], {"a": 0.25, "c": 0.75})
    solution, bias = samples(part.width, 2, seed=1)[0], torch.tensor([1.0, 2.0]).double()
    layer = part.layer(solution, bias)
    scaled = (x[:, part.used] - part.shift) * part.scale
    torch.testing.assert_close(x @ layer.weight.T + layer.bias, scaled @ solution + bias)
    # A specialist's weight is the sum of its features' variances.
    variance = scaled.var(0)
    torch.testing.assert_close(variance[:2].sum(), torch.tensor(0.25).double())
    torch.testing.assert_close(variance[2:].sum(), torch.tensor(0.75).double())
    assert not layer.weight[:, 1].any()


def test_who_knows_gets_the_weight():
    x, y = samples(90, 3)
    noise, _ = samples(90, 400, seed=1)
    owners = ["knows"] * 3 + [f"noise{i % 4}" for i in range(400)]
    x = torch.cat([x, noise], 1)
    weights = weigh((x[:60], y[:60]), (x[60:], y[60:]), owners)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["knows"] > 0.9


def test_what_was_learned_by_heart_has_no_weight():
    """Features that tell the labels of known samples alone, as a specialist's of its own tiles."""
    (x, y), (other, _) = samples(90, 3), samples(90, 3, seed=1)
    memory = torch.cat([y[:60], other[60:]])
    owners = ["knows"] * 3 + ["remembers"] * 3
    x = torch.cat([x, memory], 1)
    weights = weigh((x[:60], y[:60]), (x[60:], y[60:]), owners)
    assert weights.get("remembers", 0) < 0.1


def test_no_more_than_the_limit_are_used():
    x, y = samples(60, 9)
    owners = [f"s{i // 3}" for i in range(9)]
    known, unseen = (x[:40], y[:40]), (x[40:], y[40:])
    assert set(weigh(known, unseen, owners, limit=1)) == {"s0"}
    # The bands are no specialist, and have no weight among them; of nobody who knows, one is used.
    bands = ["spectral" if owner == "s0" else owner for owner in owners]
    assert weigh(known, unseen, bands) == {"s1": 1.0}
    # Each of three holds a label.
    order = [0, 3, 4, 1, 5, 6, 2, 7, 8]
    known, unseen = (x[:40, order], y[:40]), (x[40:, order], y[40:])
    assert len(weigh(known, unseen, owners)) == 3
    assert len(weigh(known, unseen, owners, limit=2)) == 2


def test_weights_are_squares_of_what_is_explained():
    x, _ = samples(90, 6)
    y = (x[:, :1] + 0.8 * x[:, 3:4] > 0).double()
    known, unseen = (x[:60], y[:60]), (x[60:], y[60:])
    weights = weigh(known, unseen, ["a"] * 3 + ["b"] * 3)
    one, other = standardised(known[0], unseen[0])
    a, b = (
        _explained((one[:, own], known[1]), (other[:, own], unseen[1]))
        for own in (slice(0, 3), slice(3, 6))
    )
    assert weights["a"] / weights["b"] == pytest.approx((a / b) ** 2)


def test_who_says_the_same_of_every_tile_has_no_weight_and_stops_nothing():
    x, y = samples(60, 3)
    still = torch.full((60, 2), 0.7, dtype=torch.float64)
    still[40:] += 1  # elsewhere it varies
    x = torch.cat([x, still], 1)
    owners = ["knows"] * 3 + ["still"] * 2
    weights = weigh((x[:40], y[:40]), (x[40:], y[40:]), owners)
    assert weights == {"knows": 1.0}
    layer = _Part.of(x[:40], owners, {"knows": 0.5, "still": 0.5}).layer(
        torch.ones(5, 1).double(), torch.zeros(1).double()
    )
    assert not layer.weight[:, 3:].any() and layer.weight.isfinite().all()
    moments = Moments(2, 3, dual=False)
    moments.add(still[:40] - 0.7, y[:40])
    for weight, bias in moments.solve():
        assert not weight.any()
        torch.testing.assert_close(bias, y[:40].mean(0))


@pytest.fixture
def labels_of_signals(resolve):
    """``labels_of_signals(unknown)``: tiles of which specialists know a label each; some hidden."""

    def make(unknown: float):
        splits = []
        for seed in (1, 2, 3):
            generator = torch.Generator().manual_seed(seed)
            truth = torch.randint(0, 2, (60, 3), generator=generator)
            levels = [
                torch.randn(60, 1, 24, side, side, generator=generator).half()
                for side in (8, 4, 2, 1)
            ]
            for label in range(3):
                levels[0][:, 0, 6 * label] += 4 * truth[:, label, None, None]
            hidden = torch.rand(60, 3, generator=generator) < unknown
            targets = torch.where(hidden & (seed < 3), 255, truth)
            specs = tuple(InputSpec(f"s{i}", channels=(6,) * 4, index=i) for i in range(4))
            days = torch.zeros(60, 1)
            splits.append(FrozenFeatures(in_memory(levels, targets), days, WHOLE, inputs=specs))
        train, val, test = splits
        trial = make_trials(resolve("multilabel"), train.some_targets(), 1)[0]
        return Splits(train, val, test), trial

    return make


@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_a_tile_with_an_unknown_label_tells_the_others(labels_of_signals, unknown, params):
    splits, trial = labels_of_signals(unknown)
    kept = {}
    fit, used = fit_ridge(
        splits, trial, params.fusion, keep=lambda model, fit, answers: kept.update(model=model)
    )
    assert set(used) >= {"s0", "s1", "s2"}
    assert fit.test["map"] > 0.85
    # The model that is kept is the one that was chosen, threshold and all.
    (again,) = examine([kept["model"]], only(splits, used).val, trial)
    assert again.scores["f1"] == pytest.approx(fit.val["f1"]) and fit.val["f1"] > 0.7


def test_the_penalty_is_that_of_the_least_error(labels_of_signals, monkeypatch, params):
    monkeypatch.setattr("eosfm.evaluation.moments.PENALTIES", (1e-3, 1e6))
    fit, _ = fit_ridge(*labels_of_signals(0.0), params.fusion)
    assert fit.test["f1"] > 0.8


def test_one_labelled_tile_is_refused(labels_of_signals, params):
    splits, trial = labels_of_signals(0.0)
    few = Splits(splits.train.take(np.arange(1)), splits.val, splits.test)
    with pytest.raises(EosfmError, match="has 1 labelled training tile; expected 2 at least"):
        fit_ridge(few, trial, params.fusion)
