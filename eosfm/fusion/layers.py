"""The layers that fusion is made of."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from timm.layers import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that normalises before any training too, and takes single pixels.

    Until statistics have been tracked the batch's own are used, in evaluation as well; one value
    per channel has no variance, so there the tracked statistics are used, in training as well.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        # num_batches_tracked as a plain value: reading it would stop exports and wait for a GPU.
        self.tracked = False
        self.register_load_state_dict_post_hook(_read_tracked)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        if self.training and not _single(input):
            self.tracked = True
            return super().forward(input)
        own = not self.tracked and not _single(input)
        return F.batch_norm(
            input,
            None if own else self.running_mean,
            None if own else self.running_var,
            self.weight,
            self.bias,
            own,
            0.0,
            self.eps,
        )


def _read_tracked(norm: BatchNorm, incompatible_keys: Any) -> None:
    norm.tracked = int(cast(Tensor, norm.num_batches_tracked)) > 0


def _single(input: Tensor) -> bool:
    """Whether there is one value per channel."""
    return input.numel() == input.shape[1]


def norms(kind: str, channels: Sequence[int]) -> nn.ModuleList:
    """One normaliser of a kind (``batch``, ``layer`` or ``none``) per level."""
    layers = {"batch": BatchNorm, "layer": LayerNorm2d, "none": nn.Identity}
    return nn.ModuleList(layers[kind](width) for width in channels)


def projections(channels: Sequence[int], target: Sequence[int]) -> nn.ModuleList:
    """One 1x1 convolution and LeakyReLU per level."""
    return nn.ModuleList(
        nn.Sequential(nn.Conv2d(width, out, 1), nn.LeakyReLU())
        for width, out in zip(channels, target, strict=True)
    )


def geometric_mean(weighted: list[tuple[Tensor, Tensor | None]]) -> Tensor:
    """The product of the maps, its magnitude to the power of one over the sum of the weights."""
    one = weighted[0][0].new_ones(())
    weights = torch.stack([one if weight is None else weight for _, weight in weighted])
    share = weights / weights.sum().clamp_min(1e-6)
    magnitude, sign = torch.zeros_like(weighted[0][0]), torch.ones_like(weighted[0][0])
    for (values, _), part in zip(weighted, share, strict=True):
        # Below 1e-4 the logarithm's slope would drown every other gradient.
        magnitude = magnitude + part * values.abs().clamp_min(1e-4).log()
        sign = sign * torch.where(values < 0, -1.0, 1.0)
    return sign * magnitude.exp()
