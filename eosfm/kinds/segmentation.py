"""Segmentation: one class per pixel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from eosfm.core.named import named
from eosfm.kinds.evidence import Counts
from eosfm.kinds.examples import Examples
from eosfm.kinds.pixel import PixelKind
from eosfm.kinds.targets import TargetStatistics, rarest, smallest_type

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

RARE = 0.01
"""A class that covers less of a tile than this share does not decide its stratum."""


class Segmentation(PixelKind):
    """Targets are (B, H, W) class indices, logits (B, K, H, W)."""

    name = "segmentation"
    losses = ("ce", "dice")
    metrics = ("miou", "accuracy", "f1")
    headline = "miou"
    evidence = Counts(pixels=True)

    def target_layout(
        self, classes: int, size: tuple[int, ...], ignore_index: int
    ) -> tuple[np.dtype, tuple[int, ...]]:
        """A class index per pixel, in the smallest type that holds the ignore index."""
        return smallest_type(ignore_index), size

    def strata(self, targets: Sequence[np.ndarray], classes: int, ignore_index: int) -> np.ndarray:
        """The rarest class that covers at least :data:`RARE` of the tile."""
        counts = np.array([_counts(target, classes, ignore_index) for target in targets])
        sizes = np.array([target.size for target in targets])
        return rarest(counts >= RARE * sizes[:, None])

    def thirds(self, targets: Sequence[np.ndarray], classes: int, ignore_index: int) -> np.ndarray:
        """One stratum per combination of the thirds (0 if absent) that the classes cover.

        Of two classes, the first alone counts.
        """
        counts = np.array([_counts(target, classes, ignore_index) for target in targets])
        shares = counts / counts.sum(1, keepdims=True).clip(1)
        if classes == 2:
            shares = shares[:, :1]
        _, strata = np.unique(np.ceil(shares * 3), axis=0, return_inverse=True)
        return np.ravel(strata)

    def constant_logits(self, statistics: TargetStatistics, target: "Tensor") -> "Tensor":
        """(B, K, H, W): the majority class."""
        return named("eosfm.heads.constant.majority")(statistics, target)

    def draw(self, examples: Examples) -> "Figure":
        """Images, maps of the labels and maps of the predictions."""
        return named("eosfm.heads.pictures.class_maps")(examples)


def _counts(target: np.ndarray, classes: int, ignore_index: int) -> np.ndarray:
    """(K,) labelled pixels of each class of a tile."""
    known = target[(target >= 0) & (target < classes) & (target != ignore_index)]
    return np.bincount(known.astype(int), minlength=classes)
