"""Ridge regression in closed form: against brute force, and with specialists that know nothing."""

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.evaluation.ridge import _left_out_error, _Moments, weigh


def samples(count: int, features: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, features, generator=generator, dtype=torch.float64)
    return x, (x[:, :3] > 0).double()


def test_the_error_left_out_is_that_of_leaving_each_out(monkeypatch):
    monkeypatch.setattr("eosfm.evaluation.ridge.WEIGHING", (0.1,))
    x, y = samples(12, 5)
    kernel = x @ x.T
    penalty = 0.1 * kernel.diagonal().mean()
    errors = []
    for i in range(len(x)):
        rest = [j for j in range(len(x)) if j != i]
        inner, one = kernel[rest][:, rest], torch.ones(len(rest), 1, dtype=x.dtype)
        inner = inner + penalty * torch.eye(len(rest), dtype=x.dtype)
        # An unpenalised constant: its weights sum to none.
        whole = torch.cat([torch.cat([inner, one], 1), torch.cat([one.T, 0 * one[:1]], 1)])
        right = torch.cat([y[rest], torch.zeros(1, 3, dtype=x.dtype)])
        solution = torch.linalg.solve(whole, right)
        errors.append((kernel[i, rest] @ solution[:-1] + solution[-1] - y[i]).square().mean())
    assert _left_out_error(kernel, y) == pytest.approx(float(torch.stack(errors).mean()))


def test_sums_and_samples_give_one_solution():
    x, y = samples(20, 8)
    given = []
    for dual in (True, False):
        moments = _Moments(8, 3, dual)
        for rows, truth in zip(x.split(7), y.split(7), strict=True):
            moments.add(rows, truth)
        given.append(list(moments.solve((0.01, 1.0))))
    for (weights, bias), (others, other) in zip(*given, strict=True):
        torch.testing.assert_close(weights, others)
        torch.testing.assert_close(bias, other)


def test_the_solution_without_penalty_is_that_of_least_squares():
    x, _ = samples(30, 4)
    moments = _Moments(4, 1, dual=False)
    moments.add(x, 2 * x[:, :1] - 3 * x[:, 1:2] + 5)
    ((weights, bias),) = moments.solve((0.0,))
    torch.testing.assert_close(weights[:, 0], torch.tensor([2.0, -3, 0, 0], dtype=x.dtype))
    torch.testing.assert_close(bias, torch.tensor([5.0], dtype=x.dtype))


def test_who_knows_gets_the_weight():
    x, y = samples(60, 3)
    noise, _ = samples(60, 400, seed=1)
    owners = ["knows"] * 3 + [f"noise{i % 4}" for i in range(400)]
    weights = weigh(torch.cat([x, noise], 1), y, owners)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["knows"] > 0.7


def test_no_more_than_the_limit_are_used():
    x, y = samples(40, 9)
    owners = [f"s{i // 3}" for i in range(9)]
    assert set(weigh(x, y, owners, limit=1)) == {"s0"}
    # Each of three holds a label.
    x = x[:, [0, 3, 4, 1, 5, 6, 2, 7, 8]]
    assert len(weigh(x, y, owners)) == 3
    assert len(weigh(x, y, owners, limit=2)) == 2
    # The bands are no specialist, and no ensemble.
    bands = ["spectral" if owner == "s0" else owner for owner in owners]
    assert set(weigh(x, y, bands, limit=1)) in ({"spectral", "s1"}, {"spectral", "s2"})


def test_dates_that_are_merged_by_training_are_refused(resolve):
    changes = {"head": "ridge", "aggregation": "ltae"}
    with pytest.raises(EosfmError, match="does not fit head ridge, classification on"):
        resolve("classification", classification=changes)
