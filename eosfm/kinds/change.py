"""Change: whether each pixel differs between two dates."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from eosfm.kinds.evidence import Counts
from eosfm.kinds.segmentation import Segmentation
from eosfm.kinds.targets import TargetStatistics

if TYPE_CHECKING:
    from torch import Tensor


class Change(Segmentation):
    """Segmentation of two dates; the first class is no change."""

    name = "change"
    headline = "f1"
    evidence = Counts(pixels=True, first=1)
    bitemporal = True

    def constants(self, statistics: TargetStatistics) -> tuple[TargetStatistics, ...]:
        """Statistics as observed (mostly no change), and with all targets in each change class."""
        ways = np.eye(len(statistics.counts), dtype=int)[1:] * statistics.labelled
        return (statistics, *(replace(statistics, counts=tuple(way)) for way in ways.tolist()))

    def merge_dates(self, level: "Tensor") -> "Tensor":
        """The dates side by side: (B, T, C, h, w) to (B, T * C, h, w)."""
        return level.flatten(1, 2)

    def merged(self, channels: Sequence[int], dates: int) -> list[int]:
        """Those of all dates."""
        return [dates * width for width in channels]
