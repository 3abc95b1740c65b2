"""UPerNet as the published specialists had it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eosfm.heads.decoders import resize
from eosfm.heads.resize import fast_resizing

POOLED = (1, 2, 3, 6)
"""Cells per side that the coarsest map is pooled to."""


class UPerNetBatchHead(nn.Module):
    """UPerNet (Xiao et al., 2018, arXiv 1807.10221) with batch normalisation.

    Corners are aligned where maps are resized, and a 3x3 convolution and dropout stand before the
    classifier. Ours because segmentation_models_pytorch's aligns no corners and normalises the
    encoder's maps first.

    Args:
        channels: Of the four maps, finest first.
        classes: Number of classes.
        width: Channels of the decoder.
        dropout: Share of the values before the classifier that training drops.
    """

    def __init__(
        self, channels: Sequence[int], classes: int, width: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        *finer, coarsest = channels
        self.pooled = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(cells), _convolved(coarsest, width, 1))
            for cells in POOLED
        )
        self.context = _convolved(coarsest + len(POOLED) * width, width, 3)
        self.lateral = nn.ModuleList(_convolved(each, width, 1) for each in finer)
        self.smooth = nn.ModuleList(_convolved(width, width, 3) for _ in finer)
        self.fused = _convolved(len(channels) * width, width, 3)
        self.head = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv2d(width, classes, 1),
        )

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Decode four maps to (B, K, height, width)."""
        with fast_resizing(maps[0]):
            return resize(self.head(self._fuse(maps)), size)  # where corners are not aligned

    def _fuse(self, maps: Sequence[Tensor]) -> Tensor:
        """All levels together, (B, width, h, w) of the finest."""
        *finer, coarsest = maps
        around = [_resized(pooled(coarsest), coarsest) for pooled in self.pooled]
        level = self.context(torch.cat([coarsest, *around], dim=1))
        levels = [level]
        for lateral, smooth, feature in zip(
            reversed(self.lateral), reversed(self.smooth), reversed(finer), strict=True
        ):
            side = lateral(feature)
            level = side + _resized(level, side)
            levels.append(smooth(level))
        finest = levels[-1]
        together = torch.cat([_resized(each, finest) for each in reversed(levels)], dim=1)
        fused: Tensor = self.fused(together)
        return fused


def _convolved(channels: int, width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def _resized(maps: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=True)
