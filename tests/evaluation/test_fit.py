"""Fitting: windows are scored as whole tiles, and the best epoch counts."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from eosfm.core.errors import EosfmError
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.examine import examine, score
from eosfm.evaluation.fit import Context, training_batches
from eosfm.evaluation.head import run_head
from eosfm.evaluation.learner import Best, Learner
from eosfm.evaluation.trial import make_trials
from eosfm.features.frozen import TaskSplit
from eosfm.features.reading import image_split, read_split
from eosfm.features.source import Source
from eosfm.features.windows import Windows, covering


class Brightness(nn.Module):
    """Says of each pixel whether it is bright."""

    def forward(self, inputs, size):
        images, _ = inputs
        assert images.shape[-2:] == size
        return torch.stack([0.5 - images, images - 0.5], dim=1)


class Darkness(Brightness):
    """Says the opposite."""

    def forward(self, inputs, size):
        return -super().forward(inputs, size)


class Tiles(Source):
    """Five tiles whose pixels say their targets, but for one where they say the opposite."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        generator = torch.Generator().manual_seed(0)
        self.images = (torch.rand(5, *windows.tile, generator=generator) > 0.5).float()
        self.truth = self.images.to(torch.uint8)
        self.truth[0] = 1 - self.truth[0]

    def stream(self, requests):
        count = self.windows.count
        for items, _ in requests:
            yield tuple(
                torch.stack([self.windows.cut(x[i // count], i % count) for i in items])
                for x in (self.images, self.truth)
            )

    def targets(self, tiles):
        return (self.truth[tile].numpy() for tile in tiles)


def test_each_batch_of_an_epoch_draws_windows_of_its_own(resolve):
    task = resolve("segmentation", protocol={"window": 16, "steps_per_epoch": 9})
    train = image_split(read_split(task, "train"))
    (trial,) = make_trials(task, train.some_targets(), 1)
    draws = [one.draw for epoch in (1, 2) for one in training_batches(train, trial, 9, epoch)]
    assert len(set(draws)) == len(draws) == 18


@pytest.mark.parametrize(("every", "validated"), [(1, [1, 2, 3]), (2, [2, 3]), (9, [3])])
def test_epochs_are_validated_as_often_as_the_protocol_says_and_the_last_in_any_case(
    resolve, opened, every, validated
):
    told, protocol = [], {"seeds": 1, "epochs": 3, "validate_every": every}
    task = resolve("change", protocol=protocol)
    follow = Context(lambda point, epoch: told.append((epoch, point)))
    found = run_head(task, FIXED, opened("change"), 1, follow)
    assert [epoch for epoch, _ in told] == validated
    assert {key for _, point in told for key in point} == {"loss", f"val_{task.metric}"}
    assert found


def test_test_tiles_without_dates_are_refused_before_a_training_that_needs_them(
    resolve, opened, monkeypatch
):
    monkeypatch.setattr(Learner, "step", None)
    splits = opened("series")
    days = splits.test.days.clone()
    days[3] = torch.nan
    undated = replace(splits, test=replace(splits.test, days=days))
    with pytest.raises(EosfmError, match="ltae needs the dates of every tile"):
        run_head(resolve("series"), FIXED, undated, 1)


@pytest.mark.parametrize("window", [40, 32, 15])
def test_windows_are_scored_as_whole_tiles(resolve, window):
    tiles = Tiles(covering((40, 40), window))
    split = TaskSplit(tiles, torch.zeros(5, 1), tiles.windows)
    (trial,) = make_trials(resolve("segmentation"), split.some_targets(), 1)
    right, wrong = score([Brightness(), Darkness()], split, trial)
    assert right["accuracy"] == pytest.approx(0.8)
    assert wrong["accuracy"] == pytest.approx(0.2)


@pytest.mark.parametrize("window", [40, 15])
def test_answers_and_tiles_are_those_of_the_scores(resolve, window):
    tiles = Tiles(covering((40, 40), window))
    split = TaskSplit(tiles, torch.zeros(5, 1), tiles.windows)
    (trial,) = make_trials(resolve("segmentation"), split.some_targets(), 1)
    right, wrong = examine([Brightness(), Darkness()], split, trial, shown=[1, 4])
    for found in (right, wrong):
        assert (found.tiles.sum((1, 2)) == tiles.truth[0].numel()).all()
        counts = found.tiles.sum(0)
        assert counts.trace() / counts.sum() == pytest.approx(found.scores["accuracy"])
        assert set(found.answers) == {1, 4}
    for tile, answer in right.answers.items():
        hits = (answer == tiles.truth[tile]).float().mean()
        others = (wrong.answers[tile] == tiles.truth[tile]).float().mean()
        assert hits + others == pytest.approx(1)
        assert hits > 0.5


@pytest.mark.parametrize(("metric", "best"), [("miou", 2), ("rmse", 1)])
def test_the_best_epoch_is_the_first_of_equals_in_the_metrics_own_direction(metric, best):
    model, kept = nn.Linear(1, 1), Best(metric)
    for epoch, value in enumerate((0.3, 0.5, 0.5, 0.4), start=1):
        nn.init.constant_(model.weight, epoch)
        kept.offer({metric: value}, epoch, model)
    assert kept.epoch == best
    assert kept.state["weight"].item() == best


@pytest.mark.parametrize(
    ("name", "class_weights", "weighted"),
    [("segmentation", "balanced", True), ("segmentation", "none", False),
     ("regression", "balanced", False)],
)  # fmt: skip
def test_rare_classes_weigh_more_where_the_protocol_asks_for_it(
    resolve, name, class_weights, weighted
):
    task = resolve(name, protocol={"class_weights": class_weights})
    targets = torch.zeros(2, 4, 4, dtype=torch.float32 if name == "regression" else torch.int64)
    targets[0, 0] = 1
    (trial,) = make_trials(task, targets.numpy(), 1)
    weights = getattr(trial.build_loss(), "weights", None)
    assert (weights is not None) == weighted
    if weighted:
        assert weights[1] > 1 > weights[0]
