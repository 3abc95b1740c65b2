"""A linear map of all channels at each pixel."""

from collections.abc import Sequence

from torch import Tensor, nn

from eosfm.fusion.method import Gates, Maps, Method, gated, keep_channels, side_by_side


class Conv1x1(Method, nn.Conv2d):
    """A 1x1 convolution of the maps side by side."""

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__(sum(widths), width, kernel_size=1)
        self.widths = tuple(widths)

    def fuse(self, maps: Maps, gates: Gates) -> Tensor:
        """Fuse to (B, width, h, w)."""
        fused: Tensor = self(side_by_side(gated(maps, gates), self.widths))
        return fused

    def keep(self, indices: Sequence[int]) -> None:
        """Forget the weights of the other inputs."""
        keep_channels(self, self.widths, indices)
        self.widths = tuple(self.widths[index] for index in indices)
