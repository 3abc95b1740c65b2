"""Decoders: from a pyramid of four feature maps to logits, called as ``decoder(maps, size)``."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eosfm.heads.resize import fast_resizing
from eosfm.nn.pyramid import STRIDES


class UPerNetHead(nn.Module):
    """UPerNet (Xiao et al., 2018, arXiv 1807.10221) with group instead of batch normalisation.

    Group normalisation trains with batches of one and needs no running statistics, which a short
    training would leave half settled.
    """

    def __init__(
        self, channels: Sequence[int], classes: int, width: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder

        # The decoder never looks at the maps at strides 1 and 2, which these encoders lack.
        self.decoder = UPerNetDecoder([0, 0, *channels], len(STRIDES) + 1, width)
        # smp offers no group norm, and its pooling's last convolution heeds no choice at all.
        _use_group_norm(self.decoder)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.classifier = nn.Conv2d(width, classes, kernel_size=1)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Decode four maps to (B, K, height, width)."""
        with fast_resizing(maps[0]):
            logits = self.classifier(self.dropout(self.decoder([None, None, *maps])))
            return resize(logits, size)


class LinearPixelHead(nn.Module):
    """One linear map of the four levels together, at the finest level's resolution.

    A 1x1 convolution per level, resized and summed, equals one 1x1 convolution over the resized
    and concatenated levels, at a fraction of the memory.
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Conv2d(width, classes, kernel_size=1, bias=level == 0)
            for level, width in enumerate(channels)
        )

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Map four maps to (B, K, height, width)."""
        finest = (maps[0].shape[-2], maps[0].shape[-1])
        pairs = zip(self.levels, maps, strict=True)
        with fast_resizing(maps[0]):
            answers = [resize(level(feature), finest) for level, feature in pairs]
            return resize(torch.stack(answers).sum(dim=0), size)


class PooledHead(nn.Module):
    """Global average of each level, normalised per level, then one linear layer.

    All four levels take part, so that training also shapes the fine ones, which the ensemble reads.
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in channels)
        self.classifier = nn.Linear(sum(channels), classes)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Map four maps to (B, K); ``size`` is not used."""
        pooled = [
            norm(feature.mean(dim=(-2, -1))) for norm, feature in zip(self.norms, maps, strict=True)
        ]
        return self.classifier(torch.cat(pooled, dim=1))


class PooledLinear(nn.Module):
    """Global average of each level, then one linear layer: what is solved in closed form."""

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(sum(channels), classes)

    def set(self, weight: Tensor, bias: Tensor) -> None:
        """Take a (K, C) weight and a (K,) bias."""
        with torch.no_grad():
            self.classifier.weight.copy_(weight)
            self.classifier.bias.copy_(bias)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Map four maps to (B, K); ``size`` is not used."""
        pooled = [feature.mean(dim=(-2, -1)) for feature in maps]
        return self.classifier(torch.cat(pooled, dim=1))


class LastMapHead(nn.Module):
    """Global average of the coarsest level, then one linear layer: the published specialists'."""

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(channels[-1], classes)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Map four maps to (B, K); ``size`` is not used."""
        return self.classifier(maps[-1].mean(dim=(-2, -1)))


class PhysicalUnits(nn.Module):
    """A regression head whose output is in the target's own unit: ``mean + std * head``.

    An untrained head then predicts about the mean, and its layers work at unit scale whether the
    target is metres or tonnes. Without it, a short training spends itself on finding the offset.
    """

    def __init__(self, head: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Map four maps to (B, 1, height, width) in the target's unit."""
        return self.mean + self.std * self.head(maps, size).float()


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (B, C, h, w) bilinearly to ``size``; as it is where the size fits."""
    if maps.shape[-2:] == torch.Size(size):
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _use_group_norm(module: nn.Module) -> None:
    """Replace every batch norm below ``module`` by a group norm of the same width."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, group_norm(child.num_features))
        else:
            _use_group_norm(child)


def group_norm(width: int) -> nn.GroupNorm:
    """A group norm of any width, in groups of 16 channels or more.

    The pyramid pooling normalises a map of one pixel, of which small groups would leave next to
    nothing.
    """
    groups = next(g for g in range(max(width // 16, 1), 0, -1) if width % g == 0)
    return nn.GroupNorm(groups, width)
