"""Metrics against cases worked out by hand, and against torchmetrics where it agrees."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_f1_score, multiclass_jaccard_index

from eosfm.core.errors import EosfmError
from eosfm.kinds import KINDS
from eosfm.kinds.scores import ERRORS, best_of, better, gather_classes, score01

CLASSES = ("ground", "water", "forest", "ice")


def logits_of(classes: torch.Tensor, count: int = 4) -> torch.Tensor:
    """Logits (B, K, ...) whose largest is at the given class."""
    return torch.nn.functional.one_hot(classes, count).movedim(-1, 1).float()


def scores_of(kind: str, classes, ignore: int, *batches) -> dict[str, float]:
    """What a kind's metrics give for batches of logits and targets."""
    metrics = KINDS[kind].build_metrics(classes, ignore)
    for logits, target in batches:
        metrics.update(logits, target)
    return metrics.compute()


def test_segmentation_by_hand() -> None:
    #        predicted  0 0 1 1 2 2   the last two pixels are not labelled
    target = torch.tensor([[[0, 0, 0, 1, 255, 255]]], dtype=torch.uint8)
    guess = torch.tensor([[[0, 0, 1, 1, 2, 2]]])
    scores = scores_of("segmentation", CLASSES, 255, (logits_of(guess), target))
    assert scores == pytest.approx(
        {
            "miou": (2 / 3 + 1 / 2) / 4,
            "accuracy": 3 / 4,
            "f1": (4 / 5 + 2 / 3) / 2,
            "iou/ground": 2 / 3,
            "iou/water": 1 / 2,
        }
    )
    assert all(type(value) is float for value in scores.values())


@pytest.mark.parametrize(("guess", "kept"), [([0, 0, 0, 0], 1.0), ([0, 0, 0, 3], 3 / 4)])
def test_a_stray_pixel_of_an_absent_class_costs_no_more_than_itself(guess, kept) -> None:
    """The classes that are averaged do not depend on the model."""
    batch = logits_of(torch.tensor([[guess]])), torch.zeros(1, 1, 4, dtype=torch.long)
    assert scores_of("segmentation", CLASSES, -1, batch)["miou"] == pytest.approx(kept / 4)


def test_an_ignored_class_is_not_averaged() -> None:
    batch = logits_of(torch.tensor([[[1, 2, 3, 3]]])), torch.tensor([[[1, 2, 3, 0]]])
    assert scores_of("segmentation", CLASSES, 0, batch)["miou"] == pytest.approx(1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([255, -1, 0]))
def test_segmentation_agrees_with_torchmetrics_in_any_batching(seed: int, ignore: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, 4, 3, 3, generator=generator)
    target = torch.randint(0, 4, (4, 3, 3), generator=generator)
    target[torch.rand(4, 3, 3, generator=generator) < 0.2] = ignore
    target[0, 0, 0] = 2
    batches = (logits[:1], target[:1]), (logits[1:], target[1:])
    scores = scores_of("segmentation", CLASSES, ignore, *batches)
    options = {"num_classes": 4, "average": "macro", "ignore_index": ignore}
    if ignore != 0:  # there, torchmetrics drops an ignored class from the mean even when predicted
        assert scores["miou"] == pytest.approx(
            multiclass_jaccard_index(logits, target, **options).item(), abs=1e-6
        )
        assert scores["f1"] == pytest.approx(
            multiclass_f1_score(logits, target, **options).item(), abs=1e-6
        )
    known = target != ignore
    hits = (logits.argmax(1) == target)[known].float().mean().item()
    assert scores["accuracy"] == pytest.approx(hits, abs=1e-6)


def test_change_scores_the_changed_pixels() -> None:
    target = torch.tensor([[[0, 0, 0, 1, 1, 255]]])
    guess = torch.tensor([[[0, 0, 1, 1, 0, 1]]])
    metrics = KINDS["change"].build_metrics(("same", "changed"), 255)
    metrics.update(logits_of(guess, 2), target)
    scores = metrics.compute()
    assert scores["f1"] == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert scores["miou"] == pytest.approx((2 / 4 + 1 / 3) / 2)
    metrics.reset()
    metrics.update(logits_of(torch.zeros(1, 1, 4, dtype=torch.long), 2), torch.zeros(1, 1, 4))
    assert metrics.compute()["f1"] == 0


def test_classification_by_hand() -> None:
    batch = logits_of(torch.tensor([0, 1, 1, 2])), torch.tensor([0, 1, 0, 2])
    single = {"f1/ground": 2 / 3, "f1/water": 2 / 3, "f1/forest": 1.0}
    scores = {"accuracy": 3 / 4, "f1": (2 / 3 + 2 / 3 + 1) / 3}
    found = scores_of("classification", CLASSES, 255, batch)
    assert found == pytest.approx(scores | single)


def test_multilabel_by_hand() -> None:
    # Label 0, best first: 1 0 1: (1 + 2/3) / 2. Label 1: 0 1 1: (1/2 + 2/3) / 2. Label 2: none.
    logits = torch.tensor([[3.0, -1.0, -9.0], [2.0, 2.0, -9.0], [1.0, -2.0, -9.0]])
    target = torch.tensor([[1, 1, 0], [0, 0, 0], [1, 1, 0]], dtype=torch.uint8)
    batches = (logits[:2], target[:2]), (logits[2:], target[2:])
    found = scores_of("multilabel", CLASSES[:3], 255, *batches)
    single = {"ap/ground": (1 + 2 / 3) / 2, "ap/water": (1 / 2 + 2 / 3) / 2}
    ap = sum(single.values()) / 2
    f1 = (2 * 2 / (3 + 2) + 0) / 2
    assert found == pytest.approx({"map": ap, "f1": f1} | single)


def test_multilabel_leaves_out_what_is_not_labelled() -> None:
    batch = torch.tensor([[5.0], [1.0], [0.5]]), torch.tensor([[255], [1], [0]])
    expected = {"map": 1.0, "f1": 2 / 3, "ap/ground": 1.0}
    assert scores_of("multilabel", CLASSES[:1], 255, batch) == pytest.approx(expected)


def test_classes_that_do_not_occur_have_no_score() -> None:
    batch = logits_of(torch.tensor([[[0, 3]]])), torch.tensor([[[0, 0]]])
    scores = gather_classes(scores_of("segmentation", CLASSES, 255, batch), CLASSES)
    # Water and forest are neither there nor predicted; ice is predicted where it is not.
    assert scores.pop("per_class") == {"ground": 0.5, "water": None, "forest": None, "ice": 0.0}
    assert set(scores) == {"miou", "accuracy", "f1"}
    assert gather_classes({"rmse": 2.0}, ("height",)) == {"rmse": 2.0, "per_class": {}}


def test_regression_by_hand() -> None:
    metrics = KINDS["regression"].build_metrics(("height",), 255)
    metrics.update(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[1.0, math.nan]]]))
    metrics.update(torch.tensor([[[[5.0, 6.0]]]]), torch.tensor([[[3.0, 8.0]]]))
    metrics.update(torch.tensor([[[[7.0, 7.0]]]]), torch.full((1, 1, 2), math.nan))
    variation = (1 - 4) ** 2 + (3 - 4) ** 2 + (8 - 4) ** 2
    assert metrics.compute() == pytest.approx(
        {"rmse": math.sqrt(8 / 3), "mae": 4 / 3, "r2": 1 - 8 / variation}
    )


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.answer != "object"])
def test_nothing_labelled_is_an_error(kind: str) -> None:
    logits = {"multilabel": torch.zeros(2, 2), "regression": torch.zeros(2, 1, 2, 2)}
    targets = {
        "classification": torch.full((2,), 255),
        "multilabel": torch.full((2, 2), 255),
        "regression": torch.full((2, 2, 2), math.nan),
    }
    metrics = KINDS[kind].build_metrics(("a", "b"), 255)
    default = torch.zeros(2, 2) if kind == "classification" else torch.zeros(2, 2, 2, 2)
    metrics.update(logits.get(kind, default), targets.get(kind, torch.full((2, 2, 2), 255)))
    with pytest.raises(EosfmError, match="no labelled target"):
        metrics.compute()


def test_headline_metrics_have_a_score() -> None:
    for kind in KINDS.values():
        assert score01(kind.headline, 0.25) == 0.25
        assert better(kind.headline, 0.5, than=0.4)
    assert score01("r2", -3.0) == 0.0
    with pytest.raises(EosfmError, match="'rmse' is not a 0-to-1 score"):
        score01("rmse", 0.5)
    assert all(better(metric, 1.0, than=2.0) for metric in ERRORS)


@pytest.mark.parametrize(("metric", "name"), [("miou", "high"), ("rmse", "low")])
def test_the_first_of_the_best_is_chosen_and_never_nan(metric, name):
    values = {"nan": float("nan"), "low": 0.2, "high": 0.7, "again": 0.7, "and again": 0.2}
    assert best_of(metric, values) == name
    assert best_of(metric, {"only": float("nan")}) == "only"
    assert not better(metric, float("nan"), than=0.1)


def test_predictions_look_like_targets() -> None:
    assert KINDS["segmentation"].predict(torch.zeros(2, 3, 4, 4)).shape == (2, 4, 4)
    assert KINDS["regression"].predict(torch.zeros(2, 1, 4, 4)).shape == (2, 4, 4)
    assert KINDS["multilabel"].predict(torch.tensor([[-1.0, 1.0]])).tolist() == [[0, 1]]


def test_the_trivial_answer_is_the_majority_or_the_mean() -> None:
    masks = [np.array([[1, 1], [255, 0]], np.uint8), np.array([[1, 2], [2, 0]], np.uint8)]
    statistics = KINDS["segmentation"].target_statistics(masks, 3, 255)
    assert statistics.counts == (2, 3, 2) and statistics.labelled == 7
    target = torch.tensor([[[1, 0], [1, 255]]])
    logits = KINDS["segmentation"].constant_logits(statistics, target)
    assert KINDS["segmentation"].predict(logits).unique().tolist() == [1]
    scores = scores_of("segmentation", ("a", "b", "c"), 255, (logits, target))
    assert scores["accuracy"] == pytest.approx(2 / 3)

    heights = [np.array([[1.0, np.nan], [5.0, 3.0]], np.float32)]
    statistics = KINDS["regression"].target_statistics(heights, 1, 255)
    assert (statistics.mean, statistics.std) == pytest.approx((3.0, math.sqrt(8 / 3)))
    target = torch.tensor([[[2.0, 4.0]]])
    logits = KINDS["regression"].constant_logits(statistics, target)
    scores = scores_of("regression", ("height",), 255, (logits, target))
    assert scores["r2"] == pytest.approx(0.0)


def test_the_trivial_multilabel_answer_is_each_label_s_frequency() -> None:
    rows = [np.array([1, 0], np.uint8), np.array([1, 0], np.uint8), np.array([1, 1], np.uint8)]
    statistics = KINDS["multilabel"].target_statistics(rows, 2, 255)
    target = torch.tensor([[1, 0], [1, 1], [0, 0]])
    logits = KINDS["multilabel"].constant_logits(statistics, target)
    assert KINDS["multilabel"].predict(logits).tolist() == [[1, 0]] * 3
    scores = scores_of("multilabel", ("a", "b"), 255, (logits, target))
    assert scores["map"] == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_training_targets_without_a_label_are_an_error() -> None:
    with pytest.raises(EosfmError, match="no labelled target in the training split"):
        KINDS["segmentation"].target_statistics([np.full((2, 2), 255, np.uint8)], 2, 255)
