"""Losses against values worked out by hand."""

import math

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.heads.losses import MOST_WEIGHT
from eosfm.kinds import KINDS, TargetStatistics


def from_probabilities(rows: list[list[float]]) -> torch.Tensor:
    """Logits (1, K, 1, N) whose softmax gives the rows, one per pixel."""
    return torch.tensor(rows).log().T[None, :, None, :]


def test_cross_entropy_is_the_mean_over_labelled_pixels() -> None:
    logits = from_probabilities([[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]])
    target = torch.tensor([[[0, 1, 255]]], dtype=torch.uint8)
    expected = -(math.log(0.5) + math.log(0.75)) / 2
    assert KINDS["segmentation"].build_loss("ce", 255)(logits, target).item() == pytest.approx(
        expected
    )


def test_cross_entropy_with_class_weights_divides_by_their_sum() -> None:
    logits = from_probabilities([[0.5, 0.5], [0.25, 0.75]])
    target = torch.tensor([[[0, 1]]])
    expected = -(3 * math.log(0.5) + 1 * math.log(0.75)) / 4
    loss = KINDS["segmentation"].build_loss("ce", 255, class_weights=[3.0, 1.0])
    assert loss(logits, target).item() == pytest.approx(expected)


def test_dice_by_hand_with_an_ignored_pixel_and_an_absent_class() -> None:
    # Class 0: intersection .6, sizes 1 + (.6 + .1): dice 1.2 / 1.7. Class 1: .7, 1 + (.2 + .7).
    # Class 2 has no pixel and adds nothing; the third pixel is not labelled.
    logits = from_probabilities([[0.6, 0.2, 0.2], [0.1, 0.7, 0.2], [0.3, 0.3, 0.4]])
    target = torch.tensor([[[0, 1, 255]]], dtype=torch.uint8)
    expected = ((1 - 1.2 / 1.7) + (1 - 1.4 / 1.9) + 0) / 3
    assert KINDS["segmentation"].build_loss("dice", 255)(logits, target).item() == pytest.approx(
        expected
    )


def test_an_ignored_class_among_the_classes_has_no_say() -> None:
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    target = torch.zeros(2, 4, 4, dtype=torch.uint8)
    target[:, 1:] = 2
    for name in ("ce", "dice"):
        loss = KINDS["segmentation"].build_loss(name, 0)
        changed = logits.clone()
        changed[:, :, 0] += torch.randn(2, 3, 4)
        torch.testing.assert_close(loss(logits, target), loss(changed, target))


def test_binary_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)], [5.0, 0.0]])
    target = torch.tensor([[1, 0], [255, 1]], dtype=torch.uint8)
    expected = (math.log(2) - math.log(0.25) + math.log(2)) / 3
    assert KINDS["multilabel"].build_loss("bce", 255)(logits, target).item() == pytest.approx(
        expected
    )


def test_binary_cross_entropy_weighs_the_positives() -> None:
    logits, target = torch.zeros(1, 2), torch.tensor([[1, 0]])
    loss = KINDS["multilabel"].build_loss("bce", 255, class_weights=[3.0, 5.0])
    assert loss(logits, target).item() == pytest.approx((3 + 1) * math.log(2) / 2)


def test_balanced_weights_are_the_root_of_the_median_share_over_the_share() -> None:
    # Shares of the classes that occur: 0.64, 0.32, 0.04; the median is 0.32.
    weights = KINDS["segmentation"].class_weights(TargetStatistics((64, 32, 4, 0), 100))
    assert weights == pytest.approx((0.5**0.5, 1.0, 8**0.5, MOST_WEIGHT))
    assert KINDS["change"].class_weights(TargetStatistics((10**9, 1), 10**9 + 1))[1] == MOST_WEIGHT
    # Labels that do not exclude each other: 96 without for 4 with; 20 for 80; none at all.
    known = TargetStatistics((4, 80, 0), 100, each=(100,) * 3)
    weights = KINDS["multilabel"].class_weights(known)
    assert weights == pytest.approx((24**0.5, 1.0, MOST_WEIGHT))
    # Of the second 20 of 40 are known; of the last nothing is.
    known = TargetStatistics((4, 10, 0), 100, each=(100, 20, 0))
    assert KINDS["multilabel"].class_weights(known) == pytest.approx((24**0.5, 1.0, 1.0))
    with pytest.raises(EosfmError, match="regression has no classes; set it to none"):
        KINDS["regression"].class_weights(TargetStatistics((), 100))


def test_squared_error_skips_nan() -> None:
    logits = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    target = torch.tensor([[[2.0, math.nan, 0.0]]])
    assert KINDS["regression"].build_loss("mse", 255)(logits, target).item() == pytest.approx(5.0)


@pytest.mark.parametrize(
    "kind, name",
    [(n, loss) for n, kind in KINDS.items() if kind.answer != "object" for loss in kind.losses],
)
def test_a_batch_without_labels_gives_zero_and_a_gradient(kind: str, name: str) -> None:
    shape = {"classification": (2, 3), "multilabel": (2, 3), "regression": (2, 1, 4, 4)}
    logits = torch.randn(shape.get(kind, (2, 3, 4, 4)), requires_grad=True)
    targets = {
        "classification": torch.full((2,), 255),
        "multilabel": torch.full((2, 3), 255),
        "regression": torch.full((2, 4, 4), math.nan),
    }
    loss = KINDS[kind].build_loss(name, 255)(logits, targets.get(kind, torch.full((2, 4, 4), 255)))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None and (logits.grad == 0).all()


def test_a_loss_that_does_not_fit_is_refused() -> None:
    with pytest.raises(EosfmError, match="loss 'mse' does not fit segmentation; valid: ce, dice"):
        KINDS["segmentation"].build_loss("mse", 255)
