"""Which dates of a series are used, the day of each, and what stands where one shows nothing."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def pick_dates(stored: int, wanted: int | None) -> tuple[int, ...]:
    """Positions of the dates in use: ``wanted`` of them, each the middle of an equal share."""
    if wanted is None or wanted >= stored:
        return tuple(range(stored))
    return tuple(int((i + 0.5) * stored / wanted) for i in range(wanted))


def days_of(dates: Sequence[Sequence[str]], positions: Sequence[int], stored: int) -> np.ndarray:
    """Days since 1 January of each tile's first year, so that seasons stay comparable.

    Args:
        dates: ISO dates by tile; tiles of which the dates are unknown have another number.
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


def fill_gaps(images: Tensor, gaps: Tensor, mean: Tensor) -> Tensor:
    """Images without gaps: a band's pixel that a date lacks is the mean of the other dates'.

    So a month without an optical image changes no mean over dates, and a specialist that reads
    radar as well sees both. What no date has takes the band's mean.

    Args:
        images: (..., T, C, h, w).
        gaps: Which were not measured, of the same shape or one that spreads to it.
        mean: (C, 1, 1) of each band.
    """
    if images.shape[-4] == 1:
        return torch.where(gaps, mean, images)
    known = (~gaps).expand_as(images)
    count = known.sum(dim=-4, keepdim=True)
    others = torch.where(known, images, 0).sum(dim=-4, keepdim=True) / count.clamp_min(1)
    return torch.where(known, images, torch.where(count > 0, others, mean))
