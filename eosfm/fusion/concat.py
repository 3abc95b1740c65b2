"""Channels side by side."""

from collections.abc import Sequence

from torch import Tensor

from eosfm.fusion.method import Gates, Maps, Method, gated, side_by_side


class Concat(Method):
    """The maps' channels one after the other.

    Pruning keeps the width, with zeros for removed inputs, so that a trained head still fits.
    """

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.out_channels = sum(widths)
        self.blocks = tuple(range(len(widths)))
        """Which of ``widths`` each input's map fills."""

    def fuse(self, maps: Maps, gates: Gates) -> Tensor:
        """Fuse to (B, sum of widths, h, w)."""
        filled: list[Tensor | None] = [None] * len(self.widths)
        for block, values in zip(self.blocks, gated(maps, gates), strict=True):
            filled[block] = values
        return side_by_side(filled, self.widths)

    def keep(self, indices: Sequence[int]) -> None:
        """Leave the other blocks empty."""
        self.blocks = tuple(self.blocks[index] for index in indices)
