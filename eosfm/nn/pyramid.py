"""Four maps, channels first, at strides 4 to 32: also of models that timm lets give others.

Swin and some others give maps with the channels last. A plain vision transformer (ViT) has tokens
of one stride alone, in all of its blocks.
"""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (4, 8, 16, 32)
"""Pixels per cell of the four maps that every encoder gives, finest first."""


def on_grid(images: Tensor) -> Tensor:
    """Pad images (B, C, H, W) to multiples of the coarsest stride by repeating their edges."""
    height, width = images.shape[-2:]
    bottom, right = -height % STRIDES[-1], -width % STRIDES[-1]
    return F.pad(images, (0, right, 0, bottom), mode="replicate") if bottom or right else images


def cut_maps(maps: Iterable[Tensor], size: tuple[int, int]) -> list[Tensor]:
    """Crop four maps (..., h, w) to an image of a size (H, W): ceil(H/s), ceil(W/s)."""
    height, width = size
    return [
        level[..., : -(-height // stride), : -(-width // stride)]
        for level, stride in zip(maps, STRIDES, strict=True)
    ]


def as_pyramid(model: Any) -> bool:
    """Let a ``features_only`` model give four maps (B, C, H/s, W/s), s in :data:`STRIDES`.

    The tokens of a plain transformer are those of four blocks, evenly spread over its depth: the
    twelve blocks of a ViT-Small give the maps of the third, sixth, ninth and last. They are
    resized, without weights: bilinearly to finer strides, by means to coarser ones.

    Args:
        model: timm's model, of the last four maps that it has; changed in place, but its weights
            and their keys stay as they are.

    Returns:
        False if its maps have other strides, which these are not made from.
    """
    info = model.feature_info
    strides = tuple(info.reduction())
    if strides != STRIDES:
        blocks = getattr(getattr(model, "model", None), "blocks", ())
        if len(set(strides)) > 1 or strides[0] not in STRIDES or len(blocks) < len(STRIDES):
            return False
        quarters = range(1, len(STRIDES) + 1)
        model.out_indices = [len(blocks) * quarter // len(STRIDES) - 1 for quarter in quarters]
        for level, stride in zip(info.out_indices, STRIDES, strict=True):
            info.info[level] = {**info.info[level], "reduction": stride}
        model.register_forward_hook(_resized)
    elif getattr(model, "output_fmt", "NCHW") == "NHWC":
        model.register_forward_hook(_channels_first)
    return True


def _channels_first(model: nn.Module, images: Any, maps: list[Tensor]) -> list[Tensor]:
    return [level.permute(0, 3, 1, 2).contiguous() for level in maps]


def _resized(model: nn.Module, images: tuple[Tensor], maps: list[Tensor]) -> list[Tensor]:
    height, width = images[0].shape[-2:]
    return [
        _resize(level, (height // stride, width // stride))
        for level, stride in zip(maps, STRIDES, strict=True)
    ]


def _resize(level: Tensor, size: tuple[int, int]) -> Tensor:
    if size[0] > level.shape[-2]:
        return F.interpolate(level, size=size, mode="bilinear", align_corners=False)
    times = level.shape[-2] // size[0]
    return F.avg_pool2d(level, times) if times > 1 else level
