"""The product."""

from collections.abc import Sequence

import torch
from torch import Tensor

from eosfm.fusion.method import Gates, Maps, Method, gated


class Multiplication(Method):
    """The product of the maps, as published; it fades or grows with their number.

    A gate of zero makes it zero, but a map that is not in use is no factor.
    """

    equal_channels = True

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.out_channels = widths[0]

    def fuse(self, maps: Maps, gates: Gates) -> Tensor:
        """Fuse to (B, channels of a map, h, w)."""
        return torch.stack([values for values in gated(maps, gates) if values is not None]).prod(0)
