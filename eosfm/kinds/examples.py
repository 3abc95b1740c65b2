"""Some of many tiles, and what a picture shows of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

EXAMPLES = 4
"""Tiles in a row of a picture of predictions."""


@dataclass(frozen=True)
class Examples:
    """Some tiles with their answers, ready to be drawn.

    Attributes:
        pictures: (N, T, h, w, 3) of 0 to 1.
        caption: Names of the bands shown.
        targets: N targets, each as a batch of one kind holds them.
        predictions: N predictions, as :meth:`Kind.predict` gives them.
        classes: Class names.
        ignore_index: Target value that does not count.
        size: Height and width of the tiles, pixels; pictures may be smaller.
    """

    pictures: np.ndarray
    caption: str
    targets: Sequence[Any]
    predictions: Sequence[Any]
    classes: tuple[str, ...]
    ignore_index: int
    size: tuple[int, int]


def spread(available: int, count: int) -> list[int]:
    """Evenly spread positions, ``count`` of them where there are as many."""
    return np.linspace(0, available - 1, min(available, count)).astype(int).tolist()
