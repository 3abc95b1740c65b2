"""Which dates of a series are used, and the day of each."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eosfm.tiles.statistics import unmeasured_among

if TYPE_CHECKING:
    from eosfm.tiles.store import TileSplit

ROWS = 16
"""Rows of a tile that are looked at together: the first ones tell, unless there is a gap."""


def pick_dates(stored: int, wanted: int | None) -> tuple[int, ...]:
    """Positions of the dates in use: ``wanted`` of them, each the middle of an equal share."""
    if wanted is None or wanted >= stored:
        return tuple(range(stored))
    return tuple(int((i + 0.5) * stored / wanted) for i in range(wanted))


def days_of(dates: Sequence[Sequence[str]], positions: Sequence[int], stored: int) -> np.ndarray:
    """Days since 1 January of each tile's first year, so that seasons stay comparable.

    Args:
        dates: ISO dates by tile, one without an image empty; tiles of which the dates are unknown
            have another number.
        positions: The dates in use.
        stored: Dates per tile.

    Returns:
        (N, len(positions)) float32, NaN where unknown.
    """
    days = np.full((len(dates), len(positions)), np.nan, np.float32)
    for row, texts in zip(days, dates, strict=True):
        if len(texts) == stored:
            parsed = np.array(list(texts), "datetime64[D]")
            start = np.nanmin(parsed).astype("datetime64[Y]").astype("datetime64[D]")
            offset = (parsed - start).astype("timedelta64[D]")
            known = np.where(np.isnat(offset), np.nan, offset.astype(np.float32))
            row[:] = known[list(positions)]
    return days


def measured_dates(
    tiles: "TileSplit", index: int, groups: Mapping[int, Sequence[int]]
) -> np.ndarray:
    """The dates on which a pixel of some bands was measured, (T,) bool.

    A store leaves out the date on which none of its bands was measured. Where sensors take turns, a
    task of one of them has fewer dates.

    Args:
        tiles: The split.
        index: Which of the tiles.
        groups: Positions of the bands in the store's groups, by position of the group.
    """
    store, extent = tiles.store, tiles.extents[index]
    measured = np.zeros(store.shape[0], bool)
    parts = tiles.parts(index)
    for number, bands in groups.items():
        group = store.groups[number]
        height, width = group.size(tuple(extent))
        for date in np.flatnonzero(~measured):
            image = parts[number][date, :, :height, :width]
            measured[date] = any(
                not unmeasured_among(image[:, row : row + ROWS], bands, group.nodata).all()
                for row in range(0, height, ROWS)
            )
    return measured
