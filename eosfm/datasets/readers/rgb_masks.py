"""Masks whose colours stand for classes, each a corner of the RGB cube."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.readers.raster import read_bands
from eosfm.datasets.spec import Window

Color = tuple[int, int, int]
NO_CLASS = 254
"""Stands for a corner of no class until it is reported."""


def read_colors(
    dataset: str,
    classes: Mapping[Color, int],
    tolerance: int,
    path: Path,
    size: tuple[int, int],
    window: Window,
) -> np.ndarray:
    """Class indices (h, w) uint8 of a colour-coded mask.

    Args:
        dataset: Name of the dataset, for errors.
        classes: Class of each colour, whose channels are 0 or 255.
        tolerance: How far a channel may be from 0 or 255, up to 127, which allows all: a mask
            that was saved with loss is slightly off its colours.
        path: The mask.
        size: Rows and columns of its image.
        window: What to read.

    Raises:
        EosfmError: The mask is damaged or of another size, or a colour is of no class.
    """
    mask = read_bands(path, window, 3, size)
    table = np.full(8, NO_CLASS, np.uint8)
    for color, index in classes.items():
        table[_corner(np.array(color))] = index
    target = table[_corner(mask)]
    strange = (np.minimum(mask, 255 - mask) > tolerance).any(axis=0) | (target == NO_CLASS)
    if strange.any():
        row, col = np.argwhere(strange)[0]
        raise EosfmError(
            f"{dataset}: {path} has the colour {tuple(mask[:, row, col].tolist())} at row "
            f"{window.row + row}, column {window.col + col}, which is no class; fetch the file "
            "again, as its publisher gives it"
        )
    return target


def _corner(color: np.ndarray) -> np.ndarray:
    """The corner of the RGB cube, 0 to 7, that colours (3, ...) are nearest to."""
    bright = (color > 127).astype(np.uint8)
    return bright[0] * 4 + bright[1] * 2 + bright[2]
