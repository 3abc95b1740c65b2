"""The product."""

import torch
from torch import Tensor

from eosfm.fusion.method import EqualMethod, Gates, Maps


class Multiplication(EqualMethod):
    """The product of the maps, as published; it fades or grows with their number.

    Maps that are not in use or have a gate of zero are left out, in training as in evaluation,
    where they are not computed. As published, such a gate would make the product zero, and with it
    all gradients that gates could learn from.
    """

    def fuse(self, maps: Maps, gates: Gates) -> Tensor:
        """Fuse to (B, channels of a map, h, w)."""
        pairs = zip(maps, gates, strict=True)
        factors = [factor(values, gate) for values, gate in pairs if values is not None]
        return torch.stack(factors).prod(0)


def factor(values: Tensor, gate: Tensor | None) -> Tensor:
    """A map times its gate; for a gate of zero, ones, with the gradient of opening it."""
    if gate is None:
        return values
    return torch.where(gate == 0, 1 + gate * (values - 1), values * gate)
