"""Time series in array files: which dates are taken, and reading them by window."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.mapped import DAMAGED
from eosfm.core.splits import Split
from eosfm.datasets.native.spec import Scene, Window
from eosfm.datasets.native.values import blank_as_nan


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
    except DAMAGED as error:
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


@dataclass(frozen=True)
class Stack:
    """A sensor's acquisitions of a place in one array file.

    Attributes:
        path: A ``.npy`` file, or a ``.npz`` archive.
        days: Dates of the acquisitions, as the array has them.
        channels: Channels of the array.
        bands: How many of the channels, the first ones, are read.
        blank: Value of a pixel that was not measured, in all bands; None where all were.
        member: Name of the array in an archive, (C, H, W, T); a ``.npy`` file is (T, C, H, W).
    """

    path: Path
    days: Sequence[date]
    channels: int
    bands: int
    blank: float | None = None
    member: str | None = None

    def read(self, taken: Sequence[int], size: tuple[int, int], window: Window) -> np.ndarray:
        """(T, C, h, w) float32 of some acquisitions, NaN where nothing was measured."""
        shape = (len(self.days), self.channels, *size)
        if self.member:
            shape = (*shape[1:], shape[0])
        array = read_array(self.path, shape, self.member)
        stack = window.cut(np.moveaxis(array, -1, 0) if self.member else array)
        image = np.stack([stack[index][: self.bands] for index in taken]).astype(np.float32)
        return image if self.blank is None else blank_as_nan(image, self.blank)


def stack_scene(
    id: str,
    split: Split,
    size: tuple[int, int],
    sensors: tuple[Stack, Stack],
    dates: int,
    label: Path,
    classes: Callable[[Path, tuple[int, int]], np.ndarray],
) -> Scene:
    """A scene of some optical acquisitions, evenly spread over time, each with radar of its day.

    Args:
        id: Unique within the dataset.
        split: Its split.
        size: Rows and columns.
        sensors: All acquisitions, optical and radar; of the latter the nearest day's is taken.
        dates: How many are taken. A place that has fewer is padded with unmeasured (NaN) images
            that bear its last date.
        label: File of the classes.
        classes: Reads them (H, W), checked, once file and size are given.
    """
    optical, radar = sensors
    order = sorted(range(len(optical.days)), key=optical.days.__getitem__)
    taken = [order[index] for index in evenly(len(order), dates)]
    days = [optical.days[index] for index in taken]
    parts = ((optical, taken), (radar, nearest(radar.days, days)))
    return Scene(
        id=id,
        split=split,
        height=size[0],
        width=size[1],
        files=tuple(dict.fromkeys((optical.path, radar.path, label))),
        image=partial(_read_stacks, parts, size, dates),
        target=lambda window: np.array(window.cut(classes(label, size))),
        dates=tuple(str(day) for day in [*days, *days[-1:] * (dates - len(days))]),
    )


def _read_stacks(
    parts: Sequence[tuple[Stack, list[int]]], size: tuple[int, int], dates: int, window: Window
) -> np.ndarray:
    image = np.concatenate([stack.read(taken, size, window) for stack, taken in parts], axis=1)
    missing = dates - len(image)
    return np.pad(image, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=np.nan)
