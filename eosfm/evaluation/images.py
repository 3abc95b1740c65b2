"""A split of a task as images, for models that are trained from the pixels on."""

import numpy as np
import torch
from torch import Tensor

from eosfm.features.frozen import cut_targets
from eosfm.features.store import Reading


class Images:
    """Images instead of frozen features, item by item.

    Attributes:
        targets: By tile.
        days: (N, T) day of each date by tile, NaN where unknown.
    """

    def __init__(self, source: Reading) -> None:
        self.source = source
        self.days = torch.from_numpy(source.days())
        count = source.windows.count
        firsts = (np.array([tile * count]) for tile in range(len(source.indices)))
        self.targets = torch.cat([source.images(first)[1] for first in firsts])

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, items: np.ndarray) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Images (B, T, C, h, w) with their days, and targets."""
        images, _ = self.source.images(items)
        windows = self.source.windows
        days = self.days[torch.from_numpy(items // windows.count)]
        return (images, days), cut_targets(self.targets, windows, items)
