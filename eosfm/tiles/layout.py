"""Layout of a store, shared by its reader and writer: file names, dtypes, shapes."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eosfm.core.band_groups import BandGroup
from eosfm.kinds import get_kind

if TYPE_CHECKING:
    from eosfm.core.splits import Split

UNLABELLED = 255
"""Ignore index of datasets that define none, unless it is one of their classes; then -1."""

BOX_COLUMNS = ("x_min", "y_min", "x_max", "y_max", "class")
"""Columns of detection targets, pixels from the tile's upper left corner."""


def image_names(groups: Sequence[BandGroup]) -> list[str]:
    """What the files of each group's images are called, without number and ending."""
    if len(groups) == 1:
        return ["images"]
    return [
        f"images-{group.dtype}" + (f"-{group.step}px" if group.step > 1 else "") for group in groups
    ]


def image_layouts(
    groups: Sequence[BandGroup], shape: Sequence[int]
) -> list[tuple[np.dtype, tuple[int, ...]]]:
    """Dtype and shape of each group's part of an image (T, C, H, W)."""
    return [
        (np.dtype(group.dtype), (shape[0], len(group.bands), *group.size(tuple(shape[2:]))))
        for group in groups
    ]


def target_layout(
    kind: str, classes: int, size: tuple[int, ...], ignore_index: int, steps: int | None
) -> tuple[np.dtype, tuple[int, ...]] | None:
    """Dtype and shape of a target as it is stored; None where it is a table of boxes."""
    layout = get_kind(kind).target_layout(classes, size, ignore_index)
    return (np.dtype(np.uint16), layout[1]) if layout and steps else layout


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
        source: The product that the scene was cut from, else its first file, relative to the
            dataset's root.
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
