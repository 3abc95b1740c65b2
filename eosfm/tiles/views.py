"""How a sample looks at its tile: cut to a window, turned and mirrored."""

from typing import NamedTuple

import numpy as np

VISIBLE = 0.3
"""A box of which less than this share of its area lies in a crop is left out."""


class View(NamedTuple):
    """How a sample looks at its tile: a window, then quarter turns, then a left-right flip."""

    row: int
    col: int
    turns: int
    flip: bool


def turned(array: np.ndarray, view: View) -> np.ndarray:
    """A view of the array with its last two axes turned and flipped."""
    array = np.rot90(array, view.turns, axes=(-2, -1)) if view.turns else array
    return array[..., ::-1] if view.flip else array


def turned_boxes(boxes: np.ndarray, view: View, size: tuple[int, int]) -> np.ndarray:
    """Boxes cut to the window, then moved as :func:`turned` moves the pixels.

    Objects of which too little is visible are left out: neither class nor size could be told.
    """
    height, width = size
    whole = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    x = np.clip(boxes[:, [0, 2]] - view.col, 0, width)
    y = np.clip(boxes[:, [1, 3]] - view.row, 0, height)
    for _ in range(view.turns):  # counterclockwise: what was right is now on top
        x, y = y, (width - x)[:, ::-1]
        height, width = width, height
    if view.flip:
        x = (width - x)[:, ::-1]
    result = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1], boxes[:, 4]], axis=1)
    area = (x[:, 1] - x[:, 0]) * (y[:, 1] - y[:, 0])
    return result[(area > 0) & (area >= VISIBLE * whole)].astype(np.float32)
