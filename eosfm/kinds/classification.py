"""Classification: one class per image."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from eosfm.core.named import named
from eosfm.kinds.evidence import Counts
from eosfm.kinds.image import ImageKind
from eosfm.kinds.targets import TargetStatistics

if TYPE_CHECKING:
    from torch import Tensor


class Classification(ImageKind):
    """Targets are (B,) class indices, logits (B, K)."""

    name = "classification"
    losses = ("ce",)
    metrics = ("accuracy", "f1")
    headline = "accuracy"
    evidence = Counts(pixels=False)

    def target_layout(
        self, classes: int, size: tuple[int, ...], ignore_index: int
    ) -> tuple[np.dtype, tuple[int, ...]]:
        """A scalar."""
        return np.dtype(np.int64), ()

    def fault(
        self, target: np.ndarray, size: tuple[int, ...], classes: int, ignore_index: int | None
    ) -> str | None:
        """See :meth:`Kind.fault`."""
        if target.shape:
            return f"target of shape {target.shape}; expected one class for the image"
        return super().fault(target, size, classes, ignore_index)

    def strata(self, targets: Sequence[np.ndarray], classes: int, ignore_index: int) -> np.ndarray:
        """The class."""
        return np.array(targets).astype(int)

    def constant_logits(self, statistics: TargetStatistics, target: "Tensor") -> "Tensor":
        """(B, K): the majority class."""
        return named("eosfm.heads.constant.majority")(statistics, target)

    def names(self, answer: "Tensor", classes: Sequence[str], ignore_index: int) -> set[str]:
        """The one class, where it is known."""
        return {classes[int(answer)]} if int(answer) != ignore_index else set()
