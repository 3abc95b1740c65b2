"""One step of a fit: optimiser, learning rate, finite weights."""

import pytest
import torch
from torch import nn

from eosfm.evaluation.learner import Learner
from eosfm.evaluation.trial import Trial, make_trials
from eosfm.features.reading import image_split, read_split
from eosfm.heads.decoders import PhysicalUnits
from eosfm.heads.optim import build_optimizer
from eosfm.kinds.targets import TargetStatistics


class Pixels(nn.Module):
    """Scores of each pixel, from its value alone."""

    def __init__(self, scores: int = 2) -> None:
        super().__init__()
        self.scores = nn.Conv2d(1, scores, 1)

    def forward(self, inputs, size):
        return self.scores(inputs[0])


def learner(resolve, length, **protocol):
    task = resolve("segmentation", protocol=protocol)
    (trial,) = make_trials(task, image_split(read_split(task, "train")).some_targets(), 1)
    torch.manual_seed(0)
    return Learner(Pixels(), trial, length)


def rates(one, steps):
    image, days = torch.rand(2, 1, 8, 8), torch.zeros(2, 1)
    target = (image[:, 0] > 0.5).to(torch.uint8)
    found = []
    for _ in range(steps):
        found.append(one.optimizer.param_groups[0]["lr"])
        one.step((image, days), target, (8, 8))
    return found


def test_the_rate_rises_and_falls_once_or_stays(resolve):
    cycle = rates(learner(resolve, 20, lr=0.01), 20)
    peak = cycle.index(max(cycle))
    assert 0 < peak < 10 and cycle[:peak] == sorted(cycle[:peak])
    assert cycle[peak:] == sorted(cycle[peak:], reverse=True) and cycle[-1] < 1e-3 * max(cycle)
    assert set(rates(learner(resolve, None, lr=0.01), 5)) == {0.01}


def test_values_in_a_small_unit_are_learnt_as_others_are(resolve):
    def answer(unit):
        trial = Trial(resolve("regression"), TargetStatistics((), 1, 0.0, unit), 0)
        torch.manual_seed(0)
        inputs = torch.rand(2, 1, 8, 8), torch.zeros(2, 1)
        one = Learner(PhysicalUnits(Pixels(1), 0.0, unit), trial, None)
        for _ in range(5):
            one.step(inputs, inputs[0][:, 0] * unit, (8, 8))
        return one.model(inputs, (8, 8)) / unit

    torch.testing.assert_close(answer(1e-6), answer(1.0))


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_the_optimiser_is_that_of_the_protocol(resolve, name):
    one = learner(resolve, 5, optimizer=name)
    assert type(one.optimizer) is type(build_optimizer(Pixels(), 0.01, name=name))


def test_one_weight_that_is_not_finite_is_noticed(resolve):
    one = learner(resolve, 5)
    assert one.finite
    with torch.no_grad():
        one.model.scores.bias[1] = torch.inf
    assert not one.finite
