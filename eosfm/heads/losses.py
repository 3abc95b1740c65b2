"""Losses by name, with unlabelled targets left out: called as ``loss(logits, target)``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from eosfm.heads.fcos import Cells, Objects

MOST_WEIGHT = 10.0
"""No class weighs more than this, however rare: a few noisy labels must not rule the gradient."""


def balanced(counts: Sequence[int]) -> tuple[float, ...]:
    """Weights that give rare classes more say, where classes exclude each other.

    The square root of median-frequency balancing (Eigen and Fergus, 2015, arXiv 1411.4734). A class
    at the median of the shares of all classes that occur weighs 1. The root is the usual compromise
    between rare classes and precision (Mahajan et al., 2018, arXiv 1805.00932).

    Args:
        counts: Labelled training targets per class.

    Returns:
        A positive weight per class, at most :data:`MOST_WEIGHT`; what was never seen has the most.
    """
    seen = torch.tensor(counts, dtype=torch.float64)
    return _limited((seen[seen > 0].quantile(0.5) / seen).sqrt())


def balanced_positives(counts: Sequence[int], labelled: Sequence[int]) -> tuple[float, ...]:
    """Weights of the positives where labels do not exclude each other.

    The root of negatives per positive, from 1 to :data:`MOST_WEIGHT`.

    Args:
        counts: Training targets with each label.
        labelled: Training targets of which each is known.
    """
    seen, known = (torch.tensor(some, dtype=torch.float64) for some in (counts, labelled))
    return _limited(((known - seen) / seen).sqrt().clamp(min=1.0).nan_to_num(1.0))


def _limited(weights: Tensor) -> tuple[float, ...]:
    return tuple(weights.clamp(max=MOST_WEIGHT).tolist())


class Weighted(nn.Module):
    """A loss with an ignore index and optional class weights.

    Args:
        ignore_index: Target value that does not count.
        weights: One per class; None weighs all alike.
    """

    def __init__(self, ignore_index: int, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        tensor = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        self.weights: Tensor | None
        self.register_buffer("weights", tensor)


class CrossEntropy(Weighted):
    """Softmax cross-entropy, (B, K, ...) against (B, ...), mean over labelled targets."""

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


class BinaryCrossEntropy(Weighted):
    """One sigmoid per label, (B, K) against (B, K) of 0 and 1: mean over labelled targets.

    Weights are those of the labels' positives.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss."""
        labelled = target != self.ignore_index
        truth = torch.where(labelled, target, 0).to(logits.dtype)
        loss = F.binary_cross_entropy_with_logits(
            logits, truth, reduction="none", pos_weight=self.weights
        )
        return (loss * labelled).sum() / labelled.sum().clamp(min=1)


class MeanSquaredError(Weighted):
    """Squared error in the target's unit, (B, 1, H, W) against (B, H, W).

    NaN alone does not count, and there are no classes to weigh.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss."""
        labelled = ~target.isnan()
        error = (logits.squeeze(1).float() - target.nan_to_num()) * labelled
        return error.square().sum() / labelled.sum().clamp(min=1)


class FCOSLoss(Weighted):
    """:meth:`eosfm.heads.fcos.Cells.loss`; class weights are not used."""

    def forward(self, logits: "Cells", target: "Sequence[Objects]") -> Tensor:
        """Compute the loss."""
        return logits.loss(target)


LOSSES = {
    "ce": CrossEntropy,
    "dice": Dice,
    "bce": BinaryCrossEntropy,
    "mse": MeanSquaredError,
    "fcos": FCOSLoss,
}
