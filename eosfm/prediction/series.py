"""A folder that is a time series: a date per folder in it, or per file that has all bands."""

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
"""A day in a file's name, of one separator: 2020-05-01 or 20200501; they may overlap."""
YEARS = range(1970, 2100)
"""Those of a day; other eight digits are a number."""
DAY_OF_YEAR = re.compile(r"\.(\d{4})(\d{3})T")
"""A day in a name of HLS: its year, and its number there."""


def dates_in(
    path: str, bands: Sequence[str], names: Sequence[str] | None
) -> list[tuple[str, str | None]]:
    """The dates of a scene's path, in the order of their days; of their names, where one has none.

    Names with ``pre`` come before all, those with ``post`` after.

    Args:
        path: A raster or a folder.
        bands: Those that are wanted of each date.
        names: What the user says of each date's bands.

    Returns:
        Each date's path, and the day that its name tells; the path itself, of no day, where it is
        one date.

    Raises:
        EosfmError: A folder has no raster, or a file of several cannot be read.
    """
    folder = Path(path)
    if not folder.is_dir():
        return [(path, _day(Path(path.partition("?")[0]).name))]  # what signs a URL has a day too
    files = [Path(file) for file in rasters_in(folder)]
    parts = files or sorted(sub for sub in folder.iterdir() if sub.is_dir() and rasters_in(sub))
    if not parts:
        raise EosfmError(
            f"{path} has no raster; expected files of {', '.join(SUFFIXES)}, or a folder of them "
            "per date"
        )
    if files and not (len(files) > 1 and all(_has(file, bands, names) for file in files)):
        parts = []
    dates = [(str(part), _day(part.name)) for part in parts] or [(path, None)]
    known = all(day for _, day in dates)
    return sorted(dates, key=lambda date: (date[1] if known else "", _side(Path(date[0]).stem)))


def _side(name: str) -> int:
    """Whether a name tells of what was before, or after."""
    words = re.split(r"[_\-.\s]", name.lower())
    return ("post" in words) - ("pre" in words)


def _has(file: Path, bands: Sequence[str], names: Sequence[str] | None) -> bool:
    """Whether a file alone has all bands."""
    with open_raster(str(file)) as raster:
        told = names if names and len(names) == raster.count else file_bands(raster, raster.name)
    there = [name for name in told if name is not None]
    return all(find(band, there) is not None for band in bands)


def _day(name: str) -> str | None:
    """The first day in a name, ISO."""
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
