"""What a training split's targets look like."""

from dataclasses import dataclass

import numpy as np

from eosfm.core.errors import EosfmError

STATISTICS_TILES = 2000
"""Training tiles that the statistics of the targets are taken from, at most."""


@dataclass(frozen=True)
class TargetStatistics:
    """What a training split's targets look like.

    Attributes:
        counts: Labelled targets per class (positives per label for multilabel, objects for
            detection); empty for regression.
        labelled: Labelled targets, in all.
        each: Of each label of multilabel, the targets of which it is known; empty for other kinds.
        mean: Mean of a regression target in its unit; 0 for other kinds.
        std: Standard deviation of a regression target, 1 where it does not vary or for other kinds.
        boxes: Mean box of each class, x_min, y_min, x_max, y_max in pixels (all 0 for a class
            without objects); empty for kinds other than detection.
    """

    counts: tuple[int, ...]
    labelled: int
    mean: float = 0.0
    std: float = 1.0
    boxes: tuple[tuple[float, ...], ...] = ()
    each: tuple[int, ...] = ()

    @property
    def unit(self) -> float:
        """What errors are measured in where gradients are taken: the deviation, at most 1.

        In a unit in which all values are small, gradients would vanish beside the constant that
        optimisers add to them; large ones are clipped.
        """
        return min(self.std, 1.0)


def require_labelled(count: int) -> int:
    """Return a count of labelled training targets.

    Raises:
        EosfmError: It is 0.
    """
    if count == 0:
        raise EosfmError(
            "no labelled target in the training split; expected at least one; "
            "check the split and the dataset's ignore index"
        )
    return count


def smallest_type(ignore_index: int) -> np.dtype:
    """The smallest type that holds class indices and the ignore index."""
    kept = (np.uint8, np.int16, np.int32)
    return next(
        np.dtype(dtype)
        for dtype in kept
        if np.iinfo(dtype).min <= ignore_index <= np.iinfo(dtype).max
    )


def rarest(present: np.ndarray) -> np.ndarray:
    """The rarest class that each of (N, K) tiles shows, -1 where it shows none."""
    frequency = present.sum(axis=0)
    cost = np.where(present, frequency[None, :], np.inf)
    return np.where(present.any(axis=1), cost.argmin(axis=1), -1)
