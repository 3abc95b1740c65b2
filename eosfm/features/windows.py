"""Windows: tiles larger than what the encoders are given at once.

Validation and test see the fewest windows that cover a tile, spread evenly, and average their
logits where they overlap, as PANGAEA does (arXiv 2412.04204). Unlike there, windows are no larger
than their number requires: of at most 520 px, a tile of 1,024 px has four of 512.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from eosfm.kinds.kind import Kind

MULTIPLE = 32
"""The coarsest stride of the encoders. Sides of windows are a multiple of it where the tile and the
protocol's upper limit leave room for one, so that little is padded."""


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

    def blend(self, logits: Tensor) -> Tensor:
        """Join the logits of all windows: (B * count, K, h, w) to (B, K, H, W).

        Where windows overlap, their logits are averaged.
        """
        if self.count == 1:
            return logits
        by_tile = logits.unflatten(0, (-1, self.count))
        total = logits.new_zeros(*by_tile.shape[:1], *logits.shape[1:2], *self.tile)
        seen = logits.new_zeros(self.tile)
        for window in range(self.count):
            self.cut(total, window).add_(by_tile[:, window])
            self.cut(seen, window).add_(1)
        return total / seen

    def join(self, targets: Tensor) -> Tensor:
        """Put the targets of all windows together again: (B * count, h, w) to (B, H, W)."""
        if self.count == 1:
            return targets
        by_tile = targets.unflatten(0, (-1, self.count))
        whole = targets.new_empty(by_tile.shape[0], *self.tile)
        for window in range(self.count):
            self.cut(whole, window).copy_(by_tile[:, window])
        return whole


def task_windows(kind: Kind, tile: tuple[int, int], window: int | None) -> Windows:
    """The windows that a protocol asks for; kinds with one answer per image see it whole."""
    if window is None or kind.answer != "pixel":
        return Windows.whole(tile)
    return covering(tile, window)


def covering(tile: tuple[int, int], window: int) -> Windows:
    """The fewest windows of at most ``window`` pixels that cover a tile, evenly spread."""
    counts = [-(-length // window) for length in tile]
    needed = max(-(-length // count) for length, count in zip(tile, counts, strict=True))
    side = min(window, -(-needed // MULTIPLE) * MULTIPLE)
    size = (min(side, tile[0]), min(side, tile[1]))
    rows, cols = (
        np.linspace(0, tile[k] - size[k], counts[k]).round().astype(int).tolist() for k in (0, 1)
    )
    return Windows(tile, size, tuple((row, col) for row in rows for col in cols))
