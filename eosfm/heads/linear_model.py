"""A linear model of single pixels or tiles, without spatial context."""

from typing import Self

import torch
from torch import Tensor, nn

STILL = 1e-5
"""Smaller standard deviations count as none: a float32 mean is not more exact."""


class LinearModel(nn.Module):
    """A linear map of features that it standardises; regression in the target's unit.

    Args:
        features: How many, C.
        classes: How many, K; 1 for regression.
    """

    center: Tensor
    scale: Tensor
    shift: Tensor
    unit: Tensor

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("unit", torch.ones(()))
        self.weight = nn.Parameter(torch.zeros(features, classes))
        self.bias = nn.Parameter(torch.zeros(classes))

    @classmethod
    def scaled_to(cls, features: Tensor, targets: Tensor, classes: int) -> Self:
        """An untrained model, which answers 0 or a regression's mean, scaled to its samples.

        Args:
            features: (N, C).
            targets: (N,) classes, or values with NaN where unknown; (N, K) labels.
            classes: Number of classes, K.
        """
        model = cls(features.shape[1], classes)
        model.center, model.scale = features.mean(0), deviation(features)
        if targets.is_floating_point():
            known = targets[~targets.isnan()]
            # Of a single value, the deviation is NaN.
            model.shift, model.unit = known.mean(), known.std().nan_to_num().clamp_min(1e-6)
        return model

    def forward(self, features: Tensor) -> Tensor:
        """Logits (..., K), or values (..., 1), of (..., C) features."""
        normal = (features - self.center) / self.scale
        return self.shift + self.unit * (normal @ self.weight + self.bias)

    def of_pixels(self, images: Tensor) -> Tensor:
        """Logits (B, K, H, W) of images (B, T, C, H, W), by all dates of a pixel."""
        return self(pixel_values(images)).permute(0, 3, 1, 2)


def deviation(features: Tensor, correction: int = 1) -> Tensor:
    """Standard deviation (C,) by which to divide features (N, C).

    It is infinite for a constant feature, which is thereby removed: in other samples it may vary,
    and would be scaled up a million times.
    """
    found = features.std(0, correction=correction)
    return torch.where(found > STILL, found, torch.inf)


def pixel_values(images: Tensor) -> Tensor:
    """Images (B, T, C, H, W) as the values of each pixel, (B, H, W, TC)."""
    return images.flatten(1, 2).permute(0, 2, 3, 1)


def band_statistics(images: Tensor) -> Tensor:
    """Mean and standard deviation of each band and date of images (B, T, C, H, W): (B, 2TC)."""
    bands = images.flatten(1, 2)
    return torch.cat([bands.mean(dim=(-2, -1)), bands.std(dim=(-2, -1))], dim=1)
