"""Whether stored values are what a dataset promises, and what stands for "not measured"."""

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError

Prepare = Callable[[np.ndarray, Path], np.ndarray]
"""From pixels (bands, h, w) and their file to the pixels of the dataset."""

HIGHEST = 16.0
"""Above any reflectance: such a file holds other units."""


def as_stored(pixels: np.ndarray, path: Path) -> np.ndarray:
    """The pixels as they are."""
    return pixels


def in_range(pixels: np.ndarray, path: Path, low: float, high: float, expected: str) -> np.ndarray:
    """Return values that lie in a range or are NaN.

    Args:
        pixels: Any shape and dtype.
        path: Their file, for the error.
        low: Lowest value that is allowed.
        high: Highest value that is allowed.
        expected: What the values mean, in words.

    Raises:
        EosfmError: Some value lies outside.
    """
    wrong = (pixels < low) | (pixels > high)
    if wrong.any():
        raise EosfmError(
            f"{path} holds the value {pixels[wrong][0]:g}; expected {expected}; fetch the file "
            "again, as its publisher gives it"
        )
    return pixels


def whole(
    pixels: np.ndarray, path: Path, low: int, high: int, expected: str, dtype: Any = np.uint8
) -> np.ndarray:
    """Values of any dtype as integers of another, once all are whole and in a range.

    Raises:
        EosfmError: Some value lies outside, is no whole number, or is NaN.
    """
    in_range(pixels, path, low, high, expected)
    with np.errstate(invalid="ignore"):
        integers = pixels.astype(dtype)
    broken = integers != pixels
    if broken.any():
        raise EosfmError(
            f"{path} holds {pixels[broken][0]:g}, no whole number; expected {expected}; fetch the "
            "file again, as its publisher gives it"
        )
    return integers


def numbers(low: int, high: int, expected: str, dtype: Any = np.uint8) -> Prepare:
    """What makes the pixels of a file whole numbers of a range: :func:`whole`.

    Raises:
        EosfmError: The dtype cannot hold the range.
    """
    if not (holds(dtype, low) and holds(dtype, high)):
        raise EosfmError(
            f"{np.dtype(dtype)} does not hold whole numbers of {low} to {high}; give another dtype"
        )
    return partial(whole, low=low, high=high, expected=expected, dtype=dtype)


def codes(values: Sequence[int], ignore: int | None = None) -> Prepare:
    """What makes the values of a mask class indices, uint8.

    Args:
        values: Value of each class in the mask, 0 to 255. A mask with another one is refused.
        ignore: Value of unlabelled pixels, which they keep.

    Raises:
        EosfmError: A value is none of 8 bits, or is that of two classes, or what is ignored would
            be taken for a class.
    """
    told = [*values] if ignore is None else [*values, ignore]
    if wrong := [value for value in told if value not in range(256)]:
        raise EosfmError(
            f"value {wrong[0]} of a mask; expected whole numbers of 0 to 255; "
            "map others with a `prepare` of your own"
        )
    if len(set(values)) < len(values):
        raise EosfmError(f"values of a mask are {[*values]}; expected each once, for one class")
    if ignore is not None and ignore < len(values) and values[ignore] != ignore:
        raise EosfmError(
            f"ignore is {ignore}, which is also the index of the class of value {values[ignore]}; "
            f"let values, and the dataset's classes, have {ignore} at place {ignore}"
        )
    return partial(_index, values=values, ignore=ignore)


def _index(pixels: np.ndarray, path: Path, values: Sequence[int], ignore: int | None) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        index = pixels.astype(np.uint8)
    known = np.zeros(256, bool)  # numpy's isin takes ten times as long
    known[[*values] if ignore is None else [*values, ignore]] = True
    strange = (index != pixels) | ~known[index]
    if strange.any():
        run = isinstance(values, range)
        expected = f"{values[0]} to {values[-1]}" if run else ", ".join(map(str, values))
        raise EosfmError(
            f"{path} holds the value {pixels[strange][0]}; expected {expected}; fetch the file "
            "again, as its publisher gives it"
        )
    classes = np.arange(256, dtype=np.uint8)  # what is ignored keeps its value
    classes[list(values)] = range(len(values))
    return classes[index]


def presence(pixels: np.ndarray, path: Path) -> np.ndarray:
    """1 where a mask is above 0, uint8."""
    return (pixels > 0).astype(np.uint8)


def blank_as_nan(pixels: np.ndarray, blank: float) -> np.ndarray:
    """(..., C, h, w) as float32, NaN in all bands of a pixel that is ``blank`` in all of them."""
    missing = (pixels == blank).all(axis=-3, keepdims=True)
    return np.where(missing, np.float32(np.nan), pixels.astype(np.float32))


def from_reflectance(pixels: np.ndarray, path: Path) -> np.ndarray:
    """Plain reflectance, NaN where it was not measured, as float32 reflectance times 10,000.

    Raises:
        EosfmError: The values are too high for reflectance.
    """
    values = pixels.astype(np.float32)
    in_range(values, path, -np.inf, HIGHEST, "reflectance, 0 to about 1")
    return values * np.float32(10_000)


def holds(dtype: Any, value: float) -> bool:
    """Whether images of a dtype may have a value."""
    kind = np.dtype(dtype)
    if not isinstance(value, Real):
        return False
    if kind.kind == "f":
        return True
    least, most = np.iinfo(kind).min, np.iinfo(kind).max
    return bool(least <= value <= most and value == int(value))


def numbered(target: Callable[[Any], np.ndarray], ignore_index: int, window: Any) -> np.ndarray:
    """A window's classes, ``ignore_index`` where a target of real numbers has none."""
    found = np.asarray(target(window))
    return np.where(np.isnan(found), ignore_index, found) if found.dtype.kind == "f" else found
