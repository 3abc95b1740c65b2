"""A small network of all channels at each pixel."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from eosfm.fusion.method import Gates, Maps, Method, gated, keep_channels, side_by_side

HIDDEN = 1.25
"""Hidden width over the width of the input, as published."""


class Mlp(Method, nn.Sequential):
    """Two 1x1 convolutions of the maps side by side; pruning leaves the hidden width."""

    def __init__(self, widths: Sequence[int], width: int) -> None:
        hidden = int(sum(widths) * HIDDEN)
        super().__init__(nn.Conv2d(sum(widths), hidden, 1), nn.ReLU(), nn.Conv2d(hidden, width, 1))
        self.widths = tuple(widths)
        self.out_channels = width

    def fuse(self, maps: Maps, gates: Gates) -> Tensor:
        """Fuse to (B, width, h, w)."""
        fused: Tensor = self(side_by_side(gated(maps, gates), self.widths))
        return fused

    def keep(self, indices: Sequence[int]) -> None:
        """Forget the first convolution's weights of the other inputs."""
        keep_channels(cast(nn.Conv2d, self[0]), self.widths, indices)
        self.widths = tuple(self.widths[index] for index in indices)
