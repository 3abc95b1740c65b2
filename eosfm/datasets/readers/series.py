"""Time series in array files: which dates are taken, and reading them by window."""

import zipfile
import zlib
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError


def evenly(count: int, wanted: int) -> list[int]:
    """Positions of up to ``wanted`` of ``count`` acquisitions, the first and the last included."""
    return [int(place) for place in np.linspace(0, count - 1, min(count, wanted))]


def nearest(dates: Sequence[date], wanted: Iterable[date]) -> list[int]:
    """Position in ``dates`` of the day nearest to each one wanted, the earlier of two."""
    return [
        min(range(len(dates)), key=lambda place: (abs(dates[place] - day), dates[place]))
        for day in wanted
    ]


def parse_dates(values: Iterable[object], path: Path) -> list[date]:
    """Dates such as 20180924 or 2018-09-24, in file order.

    Raises:
        EosfmError: There is none, or one is no date.
    """
    try:
        dates = [date.fromisoformat(str(value)) for value in values]
    except ValueError as error:
        raise EosfmError(
            f"{path} gives a date that is none ({error}); expected dates such as 20180924; fetch "
            "the file again"
        ) from None
    if not dates:
        raise EosfmError(f"{path} gives no date; expected at least one; fetch the file again")
    return dates


def pad_dates(image: np.ndarray, dates: int) -> np.ndarray:
    """Bring (T, C, h, w) to ``dates`` dates; those beyond the last are NaN: not measured."""
    missing = dates - len(image)
    if not missing:
        return image
    return np.pad(image, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=np.nan)


def read_array(path: Path, shape: tuple[int | None, ...], member: str | None = None) -> np.ndarray:
    """Open an array of a ``.npy`` file, memory-mapped, or of a ``.npz`` archive.

    Args:
        path: The file.
        shape: Shape that the array must have; None where any length will do.
        member: Name of the array in an archive; None for a ``.npy`` file.

    Raises:
        EosfmError: The file is missing, damaged or has no such array, or the shape differs.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(array, np.ndarray) == bool(member):
            raise ValueError(f"it is {'no' if member else 'an'} archive of arrays")
        if member:
            with array as archive:
                array = archive[member]
    except (OSError, ValueError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
        text = " ".join(str(error).split())[:120]
        raise EosfmError(
            f"{path} is damaged or not the array file expected ({text}); fetch the file again"
        ) from None
    found = array.shape
    agree = [want in (None, have) for want, have in zip(shape, found, strict=False)]
    if len(found) != len(shape) or not all(agree):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise EosfmError(
            f"{path} holds {member or 'an array'} of shape {found}; expected ({wanted}); fetch the "
            "file again"
        )
    return array
