"""Multilabel: any number of labels per image."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eosfm.core.errors import brief
from eosfm.core.named import named
from eosfm.kinds.evidence import Labels
from eosfm.kinds.image import ImageKind
from eosfm.kinds.targets import TargetStatistics, rarest, require_labelled, smallest_type

if TYPE_CHECKING:
    from torch import Tensor


class Multilabel(ImageKind):
    """Targets are (B, K) of 0, 1 or the ignore index, logits (B, K), one sigmoid per label."""

    name = "multilabel"
    losses = ("bce",)
    metrics = ("map", "f1")
    headline = "map"
    evidence = Labels()

    def target_layout(
        self, classes: int, size: tuple[int, ...], ignore_index: int
    ) -> tuple[np.dtype, tuple[int, ...]]:
        """A 0 or 1 per label."""
        return smallest_type(ignore_index), (classes,)

    def misdescribed(self, classes: int, ignore_index: int | None) -> str | None:
        """See :meth:`Kind.misdescribed`."""
        if ignore_index in (0, 1):
            return f"ignore_index is {ignore_index}, which says of a label that it is there or not"
        return None

    def fault(
        self, target: np.ndarray, size: tuple[int, ...], classes: int, ignore_index: int | None
    ) -> str | None:
        """See :meth:`Kind.fault`."""
        if target.shape != (classes,):
            return f"target of shape {target.shape}; expected ({classes},)"
        others = sorted(set(np.unique(target).tolist()) - {0, 1, ignore_index})
        expected = "0 or 1" if ignore_index is None else f"0, 1 or {ignore_index}"
        return f"labels of {brief(others)}; expected {expected}" if others else None

    def target_statistics(
        self, targets: Iterable[np.ndarray], classes: int, ignore_index: int
    ) -> TargetStatistics:
        """See :meth:`Kind.target_statistics`."""
        counts, each = np.zeros((2, classes), dtype=np.int64)
        labelled = 0
        for target in map(np.asarray, targets):
            known = target != ignore_index
            counts += known & (target == 1)
            each += known
            labelled += known.any()
        return TargetStatistics(
            tuple(counts.tolist()), require_labelled(int(labelled)), each=tuple(each.tolist())
        )

    def class_weights(self, statistics: TargetStatistics) -> tuple[float, ...]:
        """The root of negatives per positive: see :func:`eosfm.heads.losses.balanced_positives`."""
        return named("eosfm.heads.losses.balanced_positives")(statistics.counts, statistics.each)

    def strata(self, targets: Sequence[np.ndarray], classes: int, ignore_index: int) -> np.ndarray:
        """The rarest label."""
        return rarest(np.array(targets) == 1)

    def predict(self, logits: "Tensor") -> "Tensor":
        """(B, K) uint8: 1 where a label is more likely than not."""
        import torch

        return (logits > 0).to(torch.uint8)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """(B, K), of each label by itself."""
        return logits.sigmoid()

    def constant_logits(self, statistics: TargetStatistics, target: "Tensor") -> "Tensor":
        """(B, K): how often each label occurs."""
        return named("eosfm.heads.constant.frequencies")(statistics).expand(len(target), -1)

    def names(self, answer: "Tensor", classes: Sequence[str], ignore_index: int) -> set[str]:
        """The labels that are given."""
        return {name for name, value in zip(classes, answer, strict=True) if value == 1}
