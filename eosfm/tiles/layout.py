"""What reader and writer of a store agree on."""

import numpy as np

FORMAT = 1
"""Schema version in ``store.json``."""

UNLABELLED = 255
"""Ignore index of datasets that have none of their own."""

PIXEL_KINDS = ("segmentation", "change", "regression")
"""Kinds whose target is a value per pixel."""

BOX_COLUMNS = ("x_min", "y_min", "x_max", "y_max", "class")
"""Columns of detection targets, pixels from the tile's upper left corner."""


def target_layout(
    kind: str, classes: int, size: tuple[int, ...], ignore_index: int
) -> tuple[np.dtype, tuple[int, ...]] | None:
    """Dtype and shape of one stored target; None for detection, whose boxes lie in Parquet."""
    if kind == "detection":
        return None
    if kind == "classification":
        return np.dtype(np.int64), ()
    if kind == "multilabel":
        return np.dtype(np.uint8), (classes,)
    if kind == "regression":
        return np.dtype(np.float32), size
    return np.dtype(np.uint8 if 0 <= ignore_index <= 255 else np.int16), size
