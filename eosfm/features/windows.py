"""Sliding windows: tiles larger than what the encoders are given at once."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eosfm.kinds.kind import Kind


@dataclass(frozen=True)
class Windows:
    """The windows of every tile of a task, row by row.

    Items are numbered window by window: item ``i`` is window ``i % count`` of tile ``i // count``.

    Attributes:
        tile: Height and width of the tiles, pixels.
        size: Height and width of the windows.
        origins: Row and column of each window's upper left corner.
    """

    tile: tuple[int, int]
    size: tuple[int, int]
    origins: tuple[tuple[int, int], ...]

    @classmethod
    def whole(cls, tile: tuple[int, int]) -> "Windows":
        """One window: the tile."""
        return cls(tile, tile, ((0, 0),))

    @property
    def count(self) -> int:
        """Windows per tile."""
        return len(self.origins)

    def items(self, tiles: np.ndarray) -> np.ndarray:
        """All items of some tiles, tile by tile."""
        return (tiles[:, None] * self.count + np.arange(self.count)).ravel()

    def cut(self, tile: Tensor, window: int) -> Tensor:
        """One window of a (..., H, W) tile."""
        row, col = self.origins[window]
        return tile[..., row : row + self.size[0], col : col + self.size[1]]

    def cut_items(self, targets: Tensor, items: np.ndarray) -> Tensor:
        """Targets of some items, of (N, ...) by tile: whole, or each its window's part."""
        if self.count == 1:
            return targets[torch.from_numpy(items)]
        return torch.stack([self.cut(targets[i // self.count], i % self.count) for i in items])

    def blend(self, logits: Tensor) -> Tensor:
        """Join the logits of all windows: (B * count, K, h, w) to (B, K, H, W).

        Where windows overlap, each weighs by its distance to its own border (a pyramid), so that
        no seam shows and the pixels that saw least of their surroundings count least.
        """
        if self.count == 1:
            return logits
        by_tile = logits.unflatten(0, (-1, self.count))
        weight = _ramp(self.size[0], logits)[:, None] * _ramp(self.size[1], logits)
        total = logits.new_zeros(*by_tile.shape[:1], *logits.shape[1:2], *self.tile)
        mass = logits.new_zeros(self.tile)
        for window in range(self.count):
            self.cut(total, window).add_(by_tile[:, window] * weight)
            self.cut(mass, window).add_(weight)
        return total / mass


def task_windows(kind: Kind, tile: tuple[int, int], window: int | None, overlap: int) -> Windows:
    """The windows that a protocol asks for; kinds with one answer per image see it whole."""
    if window is None or kind.answer != "pixel":
        return Windows.whole(tile)
    return sliding(tile, window, overlap)


def sliding(tile: tuple[int, int], window: int, overlap: int) -> Windows:
    """Windows of at most ``window`` pixels that overlap by at least ``overlap``, evenly spread."""
    size = (min(window, tile[0]), min(window, tile[1]))
    rows, cols = (_starts(tile[k], size[k], overlap) for k in (0, 1))
    return Windows(tile, size, tuple((row, col) for row in rows for col in cols))


def _starts(length: int, window: int, overlap: int) -> list[int]:
    count = 1 + -(-(length - window) // (window - overlap)) if length > window else 1
    return np.linspace(0, length - window, count).round().astype(int).tolist()


def _ramp(length: int, like: Tensor) -> Tensor:
    """Distance of each pixel's centre to the nearer end."""
    centre = torch.arange(length, dtype=like.dtype, device=like.device) + 0.5
    return torch.minimum(centre, length - centre)
