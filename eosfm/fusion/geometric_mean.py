"""The product, as a mean of its factors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from eosfm.fusion.method import EqualMethod, Gates, Maps


class GeometricMean(EqualMethod):
    """The signed geometric mean: a product whose magnitude does not fade with the maps' number.

    Gates weigh the factors, so that one with a gate of zero is not there at all.
    """

    def fuse(self, maps: Maps, gates: Gates) -> Tensor:
        """Fuse to (B, channels of a map, h, w)."""
        pairs = zip(maps, gates, strict=True)
        return geometric_mean([(values, gate) for values, gate in pairs if values is not None])


def geometric_mean(weighted: Sequence[tuple[Tensor, Tensor | None]]) -> Tensor:
    """The product of the maps, its magnitude to the power of one over the sum of the weights."""
    one = weighted[0][0].new_ones(())
    weights = torch.stack([one if weight is None else weight for _, weight in weighted])
    share = weights / weights.sum().clamp_min(1e-6)
    magnitude, sign = torch.zeros_like(weighted[0][0]), torch.ones_like(weighted[0][0])
    for (values, _), part in zip(weighted, share, strict=True):
        # Below 1e-4 the logarithm's slope would drown every other gradient.
        magnitude = magnitude + part * values.abs().clamp_min(1e-4).log()
        sign = torch.where((values < 0) & (part != 0), -sign, sign)
    return sign * magnitude.exp()
