"""How the features of several dates become one pyramid.

Modules here are called as ``merge(maps, days)``: ``maps`` are four fused levels (B, T, C, h, w),
``days`` is (B, T), and the answer is four levels (B, C', h, w) of ``out_channels``. A date whose
day is NaN has no image and is left out; if all days of a tile are NaN, they are unknown and all of
its dates count.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from eosfm.core.errors import EosfmError

HEADS = 8
KEY = 8
PERIOD = 1000.0
"""Attention heads, width of their keys, and slowest period of the day's encoding over 2 pi."""


class Merge(nn.Module):
    """Merging without weights: the only date, the mean, all side by side, or the difference.

    Args:
        aggregation: ``mean``, ``concat``, ``difference`` (second minus first), or None.
        channels: Channels per level.
        dates: T.
    """

    def __init__(self, aggregation: str | None, channels: Sequence[int], dates: int) -> None:
        super().__init__()
        self.aggregation = aggregation
        factor = dates if aggregation == "concat" else 1
        self.out_channels = [factor * width for width in channels]

    def forward(self, maps: Sequence[Tensor], days: Tensor) -> list[Tensor]:
        """Merge."""
        if self.aggregation == "concat":
            return [level.flatten(1, 2) for level in maps]
        if self.aggregation == "difference":
            return [level[:, 1] - level[:, 0] for level in maps]
        seen = seen_dates(days)
        return [level[:, 0] if level.shape[1] == 1 else mean_date(level, seen) for level in maps]


class LinearMerge(nn.Module):
    """A learned weight per date, channel and level; starts as the mean."""

    def __init__(self, channels: Sequence[int], dates: int) -> None:
        super().__init__()
        self.out_channels = list(channels)
        self.weights = nn.ParameterList(
            # One per channel and no kernel over channels, which :class:`eosfm.heads.muon.Muon`
            # tells by its first two sizes.
            torch.full((1, dates, width, 1, 1), 1 / dates)
            for width in channels
        )

    def forward(self, maps: Sequence[Tensor], days: Tensor) -> list[Tensor]:
        """Merge; the weighted mean over the dates present stands for the missing ones."""
        weighted = [level * weight for level, weight in zip(maps, self.weights, strict=True)]
        if (seen := seen_dates(days)) is None:
            return [level.sum(dim=1) for level in weighted]
        return [mean_date(level, seen) * level.shape[1] for level in weighted]


class LTAE(nn.Module):
    """Lightweight temporal attention (Garnot & Landrieu, 2020, arXiv 2007.00586), per pixel.

    Each head has one learned query and looks at its own share of the channels; keys and values
    know the day by its sinusoidal encoding. Dates whose day is NaN get no attention.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = math.gcd(HEADS, channels)
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Parameter(torch.randn(self.heads, KEY) * math.sqrt(2 / KEY))
        self.key = nn.Linear(channels, self.heads * KEY)
        self.out = nn.Sequential(nn.Linear(channels, channels), nn.LayerNorm(channels), nn.ReLU())

    def forward(self, series: Tensor, days: Tensor) -> Tensor:
        """Attend: (B, T, C, h, w) and (B, T) to (B, C, h, w)."""
        pixels = self.norm(series.permute(0, 3, 4, 1, 2))  # (B, h, w, T, C)
        pixels = pixels + day_encoding(days, pixels.shape[-1])[:, None, None]
        keys = self.key(pixels).unflatten(-1, (self.heads, KEY))
        scores = torch.einsum("bhwtnd,nd->bhwnt", keys, self.query) / math.sqrt(KEY)
        unknown = days.isnan()[:, None, None, None]
        attention = scores.masked_fill(unknown, -torch.inf).softmax(dim=-1)
        values = pixels.unflatten(-1, (self.heads, -1))
        seen = torch.einsum("bhwnt,bhwtnc->bhwnc", attention, values).flatten(-2)
        return self.out(seen).permute(0, 3, 1, 2).contiguous()


class LTAEMerge(nn.Module):
    """One :class:`LTAE` per level."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = list(channels)
        self.levels = nn.ModuleList(LTAE(width) for width in channels)

    def forward(self, maps: Sequence[Tensor], days: Tensor) -> list[Tensor]:
        """Merge.

        Raises:
            EosfmError: A tile has no date at all.
        """
        # An exported graph has no branches: there, a tile without any date gives NaN.
        if not torch.compiler.is_compiling():
            require_days(days)
        return [attend(level, days) for attend, level in zip(self.levels, maps, strict=True)]


def require_days(days: Tensor) -> None:
    """Refuse tiles without any day of (B, T), which :class:`LTAE` cannot merge.

    Raises:
        EosfmError: There are such tiles.
    """
    if days.isnan().all(dim=1).any():
        raise EosfmError(
            "aggregation ltae needs the dates of every tile, and the store has some without; use "
            "mean or linear"
        )


def seen_dates(days: Tensor) -> Tensor | None:
    """Which of (B, T) dates have an image, True or False; None where all have."""
    # An exported graph has no branches: there, every date has one.
    if torch.compiler.is_compiling() or not (gaps := days.isnan()).any():
        return None
    return ~gaps | gaps.all(dim=1, keepdim=True)


def mean_date(level: Tensor, seen: Tensor | None) -> Tensor:
    """The mean of a level (B, T, ...) over the dates that have an image, (B, ...)."""
    if seen is None:
        return level.mean(dim=1)
    there = seen.view(*seen.shape, *[1] * (level.ndim - 2))
    return torch.where(there, level, 0).sum(dim=1) / there.sum(dim=1)


def build_merge(
    aggregation: str | None, channels: Sequence[int], dates: int
) -> "Merge | LinearMerge | LTAEMerge":
    """The module that merges a task's dates."""
    if aggregation == "linear":
        return LinearMerge(channels, dates)
    if aggregation == "ltae":
        return LTAEMerge(channels)
    return Merge(aggregation, channels, dates)


def day_encoding(days: Tensor, channels: int) -> Tensor:
    """Sines and cosines of the day, (..., T) to (..., T, channels); 0 where it is NaN."""
    even = torch.arange(0, channels, 2, device=days.device)
    angle = days.nan_to_num()[..., None] / PERIOD ** (even / channels)
    waves = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)[..., :channels]
    return waves * ~days.isnan()[..., None]
