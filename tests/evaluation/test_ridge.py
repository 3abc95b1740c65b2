"""Ridge regression: against least squares, and with specialists that know nothing."""

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.evaluation.moments import PENALTIES, Moments
from eosfm.evaluation.ridge import _Part, weigh


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
    for (weights, bias), (others, other) in zip(*given, strict=True):
        torch.testing.assert_close(weights, others)
        torch.testing.assert_close(bias, other)


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
    assert len(weigh(known, unseen, bands)) == 1
    # Each of three holds a label.
    order = [0, 3, 4, 1, 5, 6, 2, 7, 8]
    known, unseen = (x[:40, order], y[:40]), (x[40:, order], y[40:])
    assert len(weigh(known, unseen, owners)) == 3
    assert len(weigh(known, unseen, owners, limit=2)) == 2


def test_dates_that_are_merged_by_training_are_refused(resolve):
    changes = {"head": "ridge", "aggregation": "ltae"}
    with pytest.raises(EosfmError, match="does not fit head ridge, classification on"):
        resolve("classification", classification=changes)
