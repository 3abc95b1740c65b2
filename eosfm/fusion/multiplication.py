"""The product."""

from collections.abc import Sequence

import torch
from torch import Tensor

from eosfm.fusion.method import Gates, Maps, Method


class Multiplication(Method):
    """The product of the maps, as published; it fades or grows with their number.

    A map that is not in use is no factor, and neither is one whose gate is zero: in training as in
    evaluation, where such maps are not computed. As it is published, it would make the product, and
    with it all that gates could learn from, zero.
    """

    equal_channels = True

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.out_channels = widths[0]

    def fuse(self, maps: Maps, gates: Gates) -> Tensor:
        """Fuse to (B, channels of a map, h, w)."""
        pairs = zip(maps, gates, strict=True)
        factors = [factor(values, gate) for values, gate in pairs if values is not None]
        return torch.stack(factors).prod(0)


def factor(values: Tensor, gate: Tensor | None) -> Tensor:
    """A map times its gate; ones where that is zero, which tell it what opening would change."""
    if gate is None:
        return values
    return torch.where(gate == 0, 1 + gate * (values - 1), values * gate)
