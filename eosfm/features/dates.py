"""Which dates of a series are used, and the day of each."""

from collections.abc import Sequence

import numpy as np


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
