"""The sum."""

import torch
from torch import Tensor

from eosfm.fusion.method import EqualMethod, Gates, Maps, gated


class Addition(EqualMethod):
    """The sum of the maps."""

    def fuse(self, maps: Maps, gates: Gates) -> Tensor:
        """Fuse to (B, channels of a map, h, w)."""
        return torch.stack([values for values in gated(maps, gates) if values is not None]).sum(0)
