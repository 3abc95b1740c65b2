"""Finds the dates of a time series in a folder: one per subfolder, or per file with all bands."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eosfm.core.bands import find
from eosfm.core.errors import EosfmError
from eosfm.prediction.folders import SUFFIXES, rasters_in
from eosfm.prediction.names import file_bands
from eosfm.prediction.opening import open_raster

DAY = re.compile(r"(?<!\d)(?=(\d{4})([-_]?)(\d{2})\2(\d{2})(?!\d))")
"""A day in a file's name, such as 2020-05-01 or 20200501; matches may overlap."""
YEARS = range(1970, 2100)
"""Years of a valid day; with another year, eight digits are no date."""
DAY_OF_YEAR = re.compile(r"\.(\d{4})(\d{3})T")
"""Year and day of the year in a name of HLS."""


def dates_in(
    path: str, bands: Sequence[str], names: Sequence[str] | None
) -> list[tuple[str, str | None]]:
    """The dates at a path, sorted by day, or by name and its numbers if one has no day.

    Without days, names with ``pre`` come first and names with ``post`` last.

    Args:
        path: A raster or a folder.
        bands: Bands wanted of each date.
        names: The user's names of each date's bands.

    Returns:
        Path of each date, and the ISO day in its name or None. A folder that is one date is
        returned as it is.

    Raises:
        EosfmError: A folder has no raster, or one of several files cannot be read.
    """
    folder = Path(path)
    if not folder.is_dir():
        return [(path, _day(Path(path.partition("?")[0]).name))]  # a URL's signature has a day too
    files = [Path(file) for file in rasters_in(folder)]
    parts = files or sorted(sub for sub in folder.iterdir() if sub.is_dir() and rasters_in(sub))
    if not parts:
        raise EosfmError(
            f"{path} has no raster; expected files of {', '.join(SUFFIXES)}, or a folder of them "
            "per date"
        )
    if files and not (len(files) > 1 and all(_has(file, bands, names) for file in files)):
        parts = []
    dates = [(str(part), _day(part.name)) for part in parts]
    dates = dates or [(path, _day(folder.resolve().name))]
    known = all(day for _, day in dates)
    return sorted(dates, key=lambda date: (date[1] if known else "", *_order(Path(date[0]).stem)))


def _order(name: str) -> tuple[int, list[str | int]]:
    """Sort key of names without a day: 2 comes before 10."""
    parts = re.split(r"(\d+)", name)
    return _side(name), [int(part) if at % 2 else part for at, part in enumerate(parts)]


def _side(name: str) -> int:
    """Sort key by words in a name: -1 for ``pre``, 1 for ``post``, else 0."""
    words = re.split(r"[_\-.\s]", name.lower())
    return ("post" in words) - ("pre" in words)


def _has(file: Path, bands: Sequence[str], names: Sequence[str] | None) -> bool:
    """Whether a file has all wanted bands."""
    with open_raster(str(file)) as raster:
        told = names if names and len(names) == raster.count else file_bands(raster, raster.name)
    there = [name for name in told if name is not None]
    return all(find(band, there) is not None for band in bands)


def _day(name: str) -> str | None:
    """The first valid day in a name, in ISO format; None without."""
    for year, number in DAY_OF_YEAR.findall(name):
        if int(year) in YEARS and 1 <= int(number) <= 366:
            return str(np.datetime64(year, "D") + int(number) - 1)
    for year, _, month, number in DAY.findall(name):
        try:
            day = str(np.datetime64(f"{year}-{month}-{number}", "D"))
        except ValueError:
            continue
        if int(year) in YEARS:
            return day
    return None
