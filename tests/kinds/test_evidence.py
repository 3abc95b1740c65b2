"""Scores that follow from tiles are those of the metrics, whichever tiles are chosen."""

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.evaluation.evidence import TaskEvidence
from eosfm.kinds import KINDS
from eosfm.kinds.scores import best_of

CLASSES = ("a", "b", "c", "d")
TILES = 12


def batch(name: str, ignore_index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets, some unlabelled; the class d and the label d occur in no target."""
    generator = torch.Generator().manual_seed(1)
    draw = torch.rand(TILES, 4, 5, 5, generator=generator)
    # Few values, so that some are equal.
    logits = (torch.randn(TILES, 4, 5, 5, generator=generator) * 2).round()
    if name == "regression":
        target = draw[:, 0] * 50
        target[draw[:, 1] < 0.2] = torch.nan
        return logits[:, :1] * 20, target
    if name == "multilabel":
        target = (draw[:, :, 0, 0] > 0.5).long()
        target[:, 3] = 0
        target[2, 1] = ignore_index
        return logits[:, :, 0, 0], target
    target = (draw[:, 0] * 3).long()
    target[draw[:, 1] < 0.2] = ignore_index
    if name == "classification":
        return logits[:, :, 0, 0], target[:, 0, 0]
    return logits, target


@pytest.mark.parametrize(
    ("name", "ignore_index"),
    [("classification", 255), ("multilabel", 255), ("segmentation", 255), ("segmentation", 1),
     ("change", 255), ("regression", 255)],
)  # fmt: skip
def test_they_are_those_of_the_metrics(name, ignore_index):
    kind = KINDS[name]
    logits, target = batch(name, ignore_index)
    tiles = kind.evidence.by_tile(logits, target, ignore_index).numpy()
    choices = [np.arange(TILES), np.array([0, 0, 0, 5, 7, 11]), np.array([3, 3, 4])]
    weights = np.stack([np.bincount(chosen, minlength=TILES) for chosen in choices])
    found = kind.evidence.scores(tiles, weights, ignore_index)
    for number, chosen in enumerate(choices):
        metrics = kind.build_metrics(CLASSES, ignore_index)
        metrics.update(logits[chosen], target[chosen])
        expected = {key: value for key, value in metrics.compute().items() if "/" not in key}
        again = {key: values[number] for key, values in found.items()}
        assert again == pytest.approx(expected, abs=1e-6)


def test_a_label_of_which_no_tile_says_anything_does_not_count():
    logits, target = batch("multilabel", 255)
    target[:, 0] = 255
    rule = KINDS["multilabel"].evidence
    tiles = rule.by_tile(logits, target, 255).numpy()
    (found,) = rule.scores(tiles, np.ones((1, TILES)), 255)["map"]
    metrics = KINDS["multilabel"].build_metrics(CLASSES, 255)
    metrics.update(logits, target)
    assert found == pytest.approx(metrics.compute()["map"])


def test_average_precision_does_not_depend_on_how_much_is_looked_at_together(monkeypatch):
    logits, target = batch("multilabel", 255)
    rule = KINDS["multilabel"].evidence
    tiles = rule.by_tile(logits, target, 255).numpy()
    weights = np.random.default_rng(0).integers(0, 3, (9, TILES))
    whole = rule.scores(tiles, weights, 255)
    monkeypatch.setattr("eosfm.kinds.evidence.AT_ONCE", 2 * TILES)
    for name, values in rule.scores(tiles, weights, 255).items():
        np.testing.assert_array_equal(values, whole[name])


def test_confusion_is_of_exclusive_classes_alone():
    counts = np.ones((3, 2, 2), dtype=np.int32)
    assert KINDS["change"].evidence.confusion(counts).tolist() == [[3, 3], [3, 3]]
    assert KINDS["regression"].evidence.confusion(np.ones((3, 5))) is None


@pytest.mark.parametrize("name", ["segmentation", "classification"])
def test_an_answer_that_is_the_ignored_class_is_a_miss_and_no_class_of_its_own(name):
    shape = (1, 4) if name == "segmentation" else ()
    target = torch.tensor([0, 1, 1, 2]).view(1, *shape) if shape else torch.tensor([0, 1, 1, 2])
    answer = torch.tensor([1, 1, 0, 2]).view(target.shape)  # 0 stands for no label
    logits = torch.nn.functional.one_hot(answer, 3).movedim(-1, 1).float()
    evidence = KINDS[name].evidence
    tiles = evidence.by_tile(logits, target, 0).numpy()
    scores = evidence.whole(tiles, ("void", "water", "land"), 0)
    assert scores["f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert {key.split("/")[1] for key in scores if "/" in key} == {"water", "land"}


def test_a_target_that_does_not_vary_has_no_r2_and_no_deviation():
    rng = np.random.default_rng(0)
    kind = KINDS["regression"]
    for value in [0.0, *rng.uniform(-300, 300, 40)]:
        target = torch.full((3, 1, 7, 7), float(np.float32(value)))
        logits = target + torch.randn(3, 1, 7, 7)
        tiles = kind.evidence.by_tile(logits, target[:, 0], 255).numpy()
        assert kind.evidence.scores(tiles, np.ones((1, 3)), 255)["r2"].tolist() == [0.0]
        found = kind.target_statistics([target.numpy()], 0, 255)
        assert found.std == 1.0 and found.mean == pytest.approx(value)


def test_unknown_labels_are_neither_with_nor_without():
    targets = [np.array(row, np.uint8) for row in ([1, 0], [0, 255], [255, 255], [255, 1])]
    found = KINDS["multilabel"].target_statistics(targets, 2, 255)
    assert (found.counts, found.each, found.labelled) == ((1, 1), (2, 2), 3)
    unknown = [np.full(2, 255, np.uint8)]
    with pytest.raises(EosfmError, match="no labelled target in the training split"):
        KINDS["multilabel"].target_statistics(unknown, 2, 255)


def test_thirds_tell_what_covers_little_from_what_is_absent():
    half = np.repeat([0, 1], 50)
    some = half.copy()
    some[90:] = 2
    unknown = half.copy()
    unknown[::2] = 255  # as many of either
    strata = KINDS["segmentation"].thirds([half, some, half, unknown], 3, 255)
    assert strata[0] == strata[2] == strata[3] != strata[1]


def test_thirds_of_two_classes_are_those_of_the_first():
    """So a tile of background alone is like one that is nearly so, as with PANGAEA."""
    tiles = [np.repeat([0, 1], (zeros, 10 - zeros)) for zeros in (10, 9, 5, 2, 0)]
    strata = KINDS["change"].thirds(tiles, 2, 255)
    assert strata.tolist() == [3, 3, 2, 1, 0]


def test_strata_of_values_are_fifths_of_the_tiles():
    heights = [np.full((2, 2), mean, np.float32) for mean in range(9, -1, -1)]
    strata = KINDS["regression"].strata(heights, 0, 255)
    assert strata.tolist() == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("name", "metric"),
    [("classification", "accuracy"), ("segmentation", "miou"), ("segmentation", "f1"),
     ("change", "f1"), ("multilabel", "map"), ("multilabel", "f1"), ("regression", "rmse"),
     ("regression", "r2")],
)  # fmt: skip
def test_the_best_constant_answer_is_that_of_a_model_which_gives_it(name, metric):
    """Of each class everywhere, all labels everywhere, or some values and the mean."""
    rule = KINDS[name].evidence
    logits, target = batch(name, 255)
    tiles = rule.by_tile(logits, target, 255).numpy()
    found = TaskEvidence(name, 255, np.arange(TILES), {"eosfm": tiles[None]}).constant(metric)
    answers = []
    if name == "regression":
        answers = [torch.full_like(logits, value) for value in torch.linspace(0, 50, 7)]
        answers.append(torch.full_like(logits, target.nanmean()))
    elif name == "multilabel":
        answers.append(torch.ones_like(logits))
    for channel in range(4 if not answers else 0):
        answers.append(torch.zeros_like(logits))
        answers[-1][:, channel] = 1
    reached = {}
    for number, constant in enumerate(answers):
        answer = rule.by_tile(constant, target, 255).numpy()
        reached[number] = rule.scores(answer, np.ones((1, TILES)), 255)[metric].item()
    assert found == pytest.approx(reached[best_of(metric, reached)])


def test_constant_answers_by_hand():
    counts = np.array([[[6, 0], [1, 1]], [[0, 0], [2, 0]]], dtype=np.int32)  # 6 and 4 targets
    evidence = TaskEvidence("segmentation", 255, np.arange(2), {"eosfm": counts[None]})
    assert evidence.constant("accuracy") == pytest.approx(0.6)
    assert evidence.constant("miou") == pytest.approx((0.6 + 0) / 2)
    change = TaskEvidence("change", 255, np.arange(2), {"eosfm": counts[None]})
    assert change.constant("f1") == pytest.approx(2 * 4 / (4 + 10))  # all changed
    values = np.array([[[2.0, 9.0, 9.0, 4.0, 10.0], [1.0, 9.0, 9.0, 5.0, 25.0]]])  # 1, 3; 5
    height = TaskEvidence("regression", 255, np.arange(2), {"eosfm": values})
    assert height.constant("rmse") == pytest.approx((8 / 3) ** 0.5)
    assert height.constant("r2") == pytest.approx(0)
    assert np.isnan(height.constant("mae"))
