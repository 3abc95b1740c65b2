"""Reads a scene for a fitted task: its bands at all dates, scaled as the task's tiles were."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eosfm.core.days import is_day
from eosfm.core.errors import EosfmError
from eosfm.evaluation.fitted import FittedTask
from eosfm.features.dates import days_of
from eosfm.kinds import get_kind
from eosfm.kinds.pixel import PixelKind
from eosfm.prediction.grid import common_grid
from eosfm.prediction.plausible import check_values
from eosfm.prediction.scene import ReadOptions, open_scene
from eosfm.prediction.series import dates_in
from eosfm.prediction.stac import Item, is_stac, read_items
from eosfm.prediction.windows import Part

ANY_NUMBER = ("mean", "ltae")
"""Aggregations that take any number of dates."""


class SceneSeries:
    """The dates of one scene, as a fitted task takes them.

    Attributes:
        grid: The grid of all dates.
        days: (T,) day of each date, NaN where unknown.
        notes: What the user should know of each date; empty where nothing.

    Raises:
        EosfmError: The number of scenes does not fit the task, a date is missing or out of order,
            scenes are on different grids, lack bands, or have values of other units, or bands are
            named for a STAC item.
    """

    def __init__(self, fitted: FittedTask, paths: Sequence[str], reading: ReadOptions) -> None:
        found = [one for path in paths for one in _sources(path, fitted, reading)]
        sources, days = zip(*found, strict=True)
        # Days from STAC items and names count only if every scene has one.
        told = tuple(day for day in days if day and all(days))
        dates = reading.dates or told
        count = len(sources)
        _check_dates(fitted, count, dates)
        if reading.dates:
            _check_given(fitted, reading.dates, told)
        if list(dates) != sorted(dates):
            raise EosfmError(
                f"the scenes are of {' '.join(dates)}; expected them from the first day to the "
                "last; give them in that order"
            )
        self.fitted = fitted
        self.scenes = [
            open_scene(source, fitted.bands, fitted.units, reading, fitted.nodata)
            for source in sources
        ]
        self.grid = common_grid([(scene.path, scene.grid) for scene in self.scenes])
        self.notes = [scene.note + check_values(scene, fitted.units) for scene in self.scenes]
        self.days = torch.from_numpy(days_of([dates], range(count), count)[0])

    def read(self, row: int, col: int, size: tuple[int, int]) -> Part:
        """Read a window of all dates, with the pixels that get no answer."""
        values = np.stack([scene.read(row, col, *size) for scene in self.scenes])
        return part_of(self.fitted, values, self.days)

    def identity(self) -> tuple[Any, ...]:
        """Plain values that change whenever pixels or days may have changed."""
        return tuple(scene.identity() for scene in self.scenes), self.days.tolist()


def part_of(fitted: FittedTask, values: np.ndarray, days: Tensor) -> Part:
    """A window with gaps filled and standardised, as by :class:`eosfm.tiles.dataset.TileDataset`.

    Args:
        fitted: The task.
        values: (T, C, h, w) NaN where a channel was not measured; changed in place.
        days: (T,) of the whole scene.
    """
    missing = np.isnan(values).all(axis=1)
    kind = get_kind(fitted.kind)
    unknown = kind.unknown(missing) if isinstance(kind, PixelKind) else missing.all(axis=0)
    mean, std, fill = (
        np.array(numbers, np.float32)[:, None, None]
        for numbers in (fitted.mean, fitted.std, fitted.fill)
    )
    np.copyto(values, fill, where=np.isnan(values))
    if fitted.standardize == "dataset":
        values -= mean
        values /= std
    return Part(torch.from_numpy(values), unknown, days_seen(days, missing))


def days_seen(days: Tensor, missing: np.ndarray) -> Tensor:
    """Days (T,) in a window, NaN for dates without a measured pixel in it, as in tiles.

    Args:
        days: (T,) of the whole scene; if all are NaN (unknown), dates with pixels get 0.
        missing: (T, h, w) True where nothing was measured.
    """
    known = torch.zeros_like(days) if days.isnan().all() else days
    seen = torch.from_numpy(~missing.all(axis=(1, 2)))
    return torch.where(seen, known, torch.nan)


def _sources(
    path: str, fitted: FittedTask, reading: ReadOptions
) -> Sequence[tuple[str | Item, str | None]]:
    """The dates at a user's path, with their days: STAC items, parts of a folder, or itself."""
    if is_stac(path):
        if reading.bands:
            raise EosfmError(f"{path} is of STAC and tells its bands itself; leave --bands out")
        return [(item, item.date) for item in read_items(path)]
    return dates_in(path, fitted.bands, reading.bands)


def _check_dates(fitted: FittedTask, scenes: int, dates: tuple[str, ...]) -> None:
    wanted = fitted.dates
    # The pixel model of late fusion has a weight for each band of each date.
    free = fitted.aggregation in ANY_NUMBER and not fitted.pixel_share
    if scenes != wanted and not free:
        order, cure = "", "map each alone (-o FOLDER/), or join tiles of one day by gdalbuildvrt"
        if wanted > 1:
            order = " of one grid, in the order of their dates"
            cure = (
                "name a scene per date, or a folder in which every file or subfolder has all bands"
            )
        raise EosfmError(
            f"{scenes} scene(s) given; task {fitted.task} takes {wanted}{order}; {cure}"
        )
    if fitted.aggregation == "ltae" and not dates:
        raise EosfmError(
            f"task {fitted.task} looks at the days of its scenes; give --dates 2020-05-01 ..., "
            "one per scene"
        )
    if dates and len(dates) != scenes:
        raise EosfmError(f"{len(dates)} date(s) for {scenes} scene(s); give one each")
    for day in dates:
        if not is_day(day):
            raise EosfmError(f"{day[:80]!r} is no date; give dates such as 2020-05-01")


def _check_given(fitted: FittedTask, dates: tuple[str, ...], told: tuple[str, ...]) -> None:
    """Refuse ``--dates`` that the task does not use, or that contradict the scenes."""
    given = " ".join(dates)
    if fitted.dates == 1:
        raise EosfmError(
            f"task {fitted.task} takes one date, and looks at no day; leave --dates out"
        )
    if told and dates != told:
        raise EosfmError(
            f"--dates are {given}, and the scenes tell {' '.join(told)}; leave --dates out, or "
            "correct the scenes' names"
        )
