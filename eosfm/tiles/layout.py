"""What reader and writer of a store agree on."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from eosfm.core.splits import Split

FORMAT = 1
"""Schema version in ``store.json``."""

UNLABELLED = 255
"""Ignore index of datasets that have none of their own."""

BOX_COLUMNS = ("x_min", "y_min", "x_max", "y_max", "class")
"""Columns of detection targets, pixels from the tile's upper left corner."""


def shard_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """What an ``.npy`` file of that array begins with.

    Numpy pads it, so that the first axis can grow in place.
    """
    header = io.BytesIO()
    description = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    return header.getvalue()


@dataclass(frozen=True)
class Tile:
    """One tile on its way into a store.

    Attributes:
        split: The split of its scene.
        scene: Id of its scene.
        source: The scene's image file, relative to the dataset's root.
        row: First row in the scene, pixels.
        col: First column in the scene, pixels.
        image: (T, C, h, w) in the dataset's dtype; smaller than the store's tiles at a scene's
            lower and right edges.
        target: As a scene's target of that window.
        crs: The scene's CRS, or None.
        transform: The scene's affine coefficients, or None.
        dates: The scene's ISO dates.
    """

    split: "Split"
    scene: str
    source: str
    row: int
    col: int
    image: np.ndarray
    target: np.ndarray
    crs: str | None = None
    transform: tuple[float, float, float, float, float, float] | None = None
    dates: tuple[str, ...] = ()
