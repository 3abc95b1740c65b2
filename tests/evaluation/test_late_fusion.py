"""Late fusion: the share is that of the best validation score, and what is tested has it."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from eosfm.core.splits import Splits
from eosfm.evaluation.examine import examine
from eosfm.evaluation.fit import Context, fit_all
from eosfm.evaluation.late_fusion import SHARES, LateFusion, fuse, pixel_voter, with_images
from eosfm.evaluation.trial import make_trials
from eosfm.features.reading import image_split, read_split
from eosfm.kinds import get_kind


class Constant(nn.Module):
    """Answers the same everywhere."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, inputs, size):
        images, _ = inputs
        return self.logits[:, None, None] * images.new_ones(len(images), 1, *size)


def opened(resolve, name):
    task = resolve(name)
    readings = Splits.of(partial(read_split, task))
    splits = readings.map(image_split)
    (trial,) = make_trials(task, splits.train.some_targets(), 1)
    return trial, readings, splits


def test_probabilities_are_averaged():
    kind = get_kind("segmentation")
    own, other = torch.tensor([0.9, 0.1]).log(), torch.tensor([0.2, 0.8]).log()
    own, other = (part.view(1, 2, 1, 1) + 3 for part in (own, other))  # logits have no zero
    mixed = kind.mix(own, other, 0.25).exp().flatten()
    assert torch.allclose(mixed, torch.tensor([0.725, 0.275]))
    assert torch.allclose(kind.mix(own, other, 0.0), own.log_softmax(1))


def test_values_are_averaged():
    kind = get_kind("regression")
    mixed = kind.mix(torch.tensor([[[[10.0]]]]), torch.tensor([[[[20.0]]]]), 0.1)
    assert mixed.item() == pytest.approx(11.0)


def test_a_model_that_knows_nothing_leaves_the_answer_to_the_pixels(resolve):
    trial, readings, splits = opened(resolve, "segmentation")
    voter = pixel_voter(trial, readings)
    ((fused, scores),) = fuse([Constant(0.0, 0.0)], voter, splits.val, trial)
    assert fused.share > 0
    (alone,) = examine([Constant(0.0, 0.0)], splits.val, trial)
    assert scores["miou"] > alone.scores["miou"]
    (again,) = examine([fused], with_images(splits.val, voter.val), trial)
    assert again.scores == scores


def test_a_share_that_does_not_help_is_none(resolve):
    trial, readings, splits = opened(resolve, "segmentation")
    voter = pixel_voter(trial, readings)
    with torch.no_grad():  # it says the same everywhere, with less certainty than any model
        voter.model.weight.zero_()
        voter.model.bias.zero_()
    ((fused, _),) = fuse([Constant(3.0, 0.0)], voter, splits.val, trial)
    assert fused.share == SHARES[0] == 0


def test_what_is_tested_is_what_validation_chose(resolve):
    trial, readings, splits = opened(resolve, "regression")
    trial = replace(
        trial,
        task=replace(
            trial.task,
            protocol=trial.task.protocol.model_copy(update={"epochs": 1, "steps_per_epoch": 1}),
        ),
    )
    voter, kept = pixel_voter(trial, readings), []
    context = Context(keep=lambda model, *_: kept.append(model), voter=voter)
    (fit,) = fit_all(lambda trial: Constant(1.0), splits, [trial], context)
    assert isinstance(kept[0], LateFusion) and fit.pixel_share == kept[0].share > 0
    (found,) = examine(kept, with_images(splits.test, voter.test), trial)
    assert found.scores == fit.test


@pytest.mark.parametrize("name, wanted", [("segmentation", False), ("classification", True)])
def test_nobody_answers_along_where_nobody_is_asked(resolve, name, wanted):
    trial, readings, _ = opened(partial(resolve, protocol={"late_fusion": wanted}), name)
    assert pixel_voter(trial, readings) is None
