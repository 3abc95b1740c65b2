"""Boxes of objects, by window."""

import numpy as np

from eosfm.datasets.spec import Window


def boxes_in(boxes: np.ndarray, window: Window) -> np.ndarray:
    """Boxes whose middle lies in a window, cut to it: an object belongs to one window alone.

    Args:
        boxes: (n, 5) rows of x_min, y_min, x_max, y_max, class in the scene's pixels.
        window: Rectangle in pixels.

    Returns:
        (m, 5) float32 rows in the window's pixels.
    """
    boxes = boxes.astype(np.float32)
    limits = np.array([window.width, window.height], np.float32)
    boxes[:, :4] -= np.array([window.col, window.row] * 2, np.float32)
    middle = (boxes[:, :2] + boxes[:, 2:4]) / 2
    inside = ((middle >= 0) & (middle < limits)).all(axis=1)
    boxes[:, :4] = np.clip(boxes[:, :4], 0, np.tile(limits, 2))
    return boxes[inside]
