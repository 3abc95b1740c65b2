"""Losses by name, with unlabelled pixels left out."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eosfm.core.errors import EosfmError

LOSSES: dict[str, tuple[str, ...]] = {
    "classification": ("ce",),
    "multilabel": ("bce",),
    "segmentation": ("ce", "dice"),
    "change": ("ce", "dice"),
    "regression": ("mse",),
    "detection": ("fcos",),
}
"""Losses that each task kind can be trained with, its default first."""

MOST_WEIGHT = 10.0
"""No class weighs more than this, however rare: a few noisy labels must not rule the gradient."""


def balanced_weights(kind: str, counts: Sequence[int], labelled: int) -> tuple[float, ...]:
    """Weights that give rare classes more say, for :func:`build_loss`.

    Where classes exclude each other: the square root of median-frequency balancing (Eigen and
    Fergus, 2015, arXiv 1411.4734). A class at the median of the shares of all classes that occur
    weighs 1. The root is the usual compromise between rare classes and precision (Mahajan et al.,
    2018, arXiv 1805.00932). For labels that do not: the root of negatives per positive, at least 1.

    Args:
        kind: Task kind.
        counts: Labelled training targets per class (positives per label for multilabel).
        labelled: Labelled training targets in all (per label for multilabel).

    Returns:
        A positive weight per class, at most :data:`MOST_WEIGHT`; what was never seen has the most.

    Raises:
        EosfmError: The task kind has no classes.
    """
    if not counts:
        raise EosfmError(f"class_weights is balanced, but {kind} has no classes; set it to none")
    seen = torch.tensor(counts, dtype=torch.float64)
    if kind == "multilabel":
        weights = ((labelled - seen) / seen).sqrt().clamp(min=1.0)
    else:
        weights = (seen[seen > 0].quantile(0.5) / seen).sqrt()
    return tuple(weights.clamp(max=MOST_WEIGHT).tolist())


def build_loss(
    kind: str, loss: str, ignore_index: int, class_weights: Sequence[float] | None = None
) -> nn.Module:
    """Build a loss, called as ``loss(logits, target)`` and returning a scalar.

    A batch without any labelled target gives 0, with a gradient of 0.

    Args:
        kind: Task kind.
        loss: ``ce`` (softmax cross-entropy, mean over labelled targets), ``dice`` (1 - soft Dice,
            mean over all classes), ``bce`` (one sigmoid per label), ``mse`` (in the target's
            unit; targets that are NaN do not count), ``fcos``
            (:class:`eosfm.kinds.detection.FCOSLoss`).
        ignore_index: Target value that does not count.
        class_weights: One weight per class, for ``ce``, ``dice`` and ``fcos``; for ``bce`` that of
            the label's positives.

    Raises:
        EosfmError: The loss is unknown or does not fit the task kind.
    """
    valid = LOSSES.get(kind, ())
    if loss not in valid:
        raise EosfmError(f"loss {loss!r} does not fit {kind}; valid: {', '.join(valid) or 'none'}")
    weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
    if loss == "ce":
        return CrossEntropy(ignore_index, weights)
    if loss == "dice":
        return Dice(ignore_index, class_weights)
    if loss == "bce":
        return BinaryCrossEntropy(ignore_index, weights)
    if loss == "fcos":
        from eosfm.kinds.detection import FCOSLoss

        return FCOSLoss(weights)
    return MeanSquaredError()


class CrossEntropy(nn.Module):
    """Softmax cross-entropy, (B, K, ...) against (B, ...), mean over labelled targets."""

    def __init__(self, ignore_index: int, weights: Tensor | None = None) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.weights: Tensor | None
        self.register_buffer("weights", weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss."""
        target = target.long()
        total = F.cross_entropy(
            logits, target, self.weights, ignore_index=self.ignore_index, reduction="sum"
        )
        labelled = target != self.ignore_index
        if self.weights is None:
            return total / labelled.sum().clamp(min=1)
        mass = self.weights[target[labelled]].sum()
        return total / torch.where(mass > 0, mass, 1.0)


class Dice(nn.Module):
    """Soft Dice of the softmax, (B, K, H, W) against (B, H, W).

    Per class over the whole batch; a class without a labelled pixel in the batch adds 0 to the
    mean over all classes.
    """

    def __init__(self, ignore_index: int, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        from segmentation_models_pytorch.losses import DiceLoss

        self.dice = DiceLoss(
            "multiclass",
            ignore_index=ignore_index,
            class_weights=None if weights is None else list(weights),
        )

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss."""
        return self.dice(logits.float(), target.long())


class BinaryCrossEntropy(nn.Module):
    """One sigmoid per label, (B, K) against (B, K) of 0 and 1: mean over labelled targets."""

    def __init__(self, ignore_index: int, weights: Tensor | None = None) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.weights: Tensor | None
        self.register_buffer("weights", weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss."""
        labelled = target != self.ignore_index
        truth = torch.where(labelled, target, 0).to(logits.dtype)
        loss = F.binary_cross_entropy_with_logits(
            logits, truth, reduction="none", pos_weight=self.weights
        )
        return (loss * labelled).sum() / labelled.sum().clamp(min=1)


class MeanSquaredError(nn.Module):
    """Squared error, (B, 1, H, W) against (B, H, W) with NaN where unlabelled."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss."""
        labelled = ~target.isnan()
        error = (logits.squeeze(1).float() - target.nan_to_num()) * labelled
        return error.square().sum() / labelled.sum().clamp(min=1)
