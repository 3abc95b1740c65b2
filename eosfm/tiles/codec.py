"""Lossless conversion between the types in which bands and targets are stored and read."""

from typing import Any

import numpy as np

from eosfm.core.band_groups import BandGroup
from eosfm.core.errors import EosfmError
from eosfm.tiles.statistics import unmeasured

BLANK = np.iinfo(np.uint16).max
"""Stored value for NaN in targets that are counted in steps."""


def encode_bands(image: np.ndarray, group: BandGroup, where: str) -> np.ndarray:
    """A group's bands as they are stored.

    Args:
        image: (T, C, h, w) of the group's bands, as its scene gives them.
        group: How they are stored.
        where: Names the scene in errors.

    Raises:
        EosfmError: The stored bands would not decode to the same values.
    """
    if image.dtype == group.dtype and group.step == 1:
        return image
    coarse = image[..., :: group.step, :: group.step]
    with np.errstate(invalid="ignore"):
        stored = coarse.astype(group.dtype)
    if group.nodata is not None and coarse.dtype.kind == "f":
        stored[np.isnan(coarse)] = group.nodata
    back = repeat(decode_bands(stored, group, image.dtype), group.step)
    if not np.array_equal(back[..., : image.shape[2], : image.shape[3]], image, equal_nan=True):
        blank = "" if group.nodata is None else f", {group.nodata:g} in all where not measured"
        raise EosfmError(
            f"{where}: bands {', '.join(group.bands)} do not fit {group.dtype}{blank}, in pixels "
            f"of {group.step}x{group.step}; expected what the dataset's files hold; check them"
        )
    return stored


def decode_bands(stored: np.ndarray, group: BandGroup, dtype: Any) -> np.ndarray:
    """Stored pixels (T, C, h, w) in the type that they are read in, NaN where not measured."""
    pixels = stored.astype(dtype, copy=False)
    if group.nodata is not None and stored.dtype.kind != "f" and pixels.dtype.kind == "f":
        blank = unmeasured(stored, group.nodata)
        if blank.any():
            np.copyto(pixels, np.nan, where=blank[:, None])
    return pixels


def repeat(pixels: np.ndarray, step: int) -> np.ndarray:
    """The last two axes with each pixel repeated so many times."""
    return pixels.repeat(step, axis=-2).repeat(step, axis=-1) if step > 1 else pixels


def window_of(
    stored: np.ndarray, step: int, row: int, col: int, size: tuple[int, int]
) -> np.ndarray:
    """A window of the last two axes, given in the image's pixels; a view where the step is 1."""
    height, width = size
    first, left = row // step, col // step
    below, right = -(-(row + height) // step), -(-(col + width) // step)
    fine = repeat(stored[..., first:below, left:right], step)
    row, col = row - first * step, col - left * step
    return fine[..., row : row + height, col : col + width]


def encode_target(target: np.ndarray, steps: int, where: str) -> np.ndarray:
    """Encode a float target as uint16 multiples of 1 / ``steps``; :data:`BLANK` for NaN.

    Raises:
        EosfmError: It would not decode to the same values.
    """
    known = ~np.isnan(target)
    stored = np.full(target.shape, BLANK, np.uint16)
    with np.errstate(invalid="ignore", over="ignore"):
        stored[known] = np.rint(target[known] * steps)
    if not np.array_equal(decode_target(stored, steps), target, equal_nan=True):
        raise EosfmError(
            f"{where}: the target holds other values than 0 to {BLANK - 1} steps of 1/{steps}; "
            "expected what the dataset's files hold; check them"
        )
    return stored


def decode_target(stored: np.ndarray, steps: int) -> np.ndarray:
    """Numbers of steps as float32 in the target's unit, NaN where unlabelled."""
    values = stored / np.float32(steps)
    values[stored == BLANK] = np.nan
    return values
