"""The spectral pyramid: statistics of the bands themselves, without weights.

It is one more entry of the ensemble. It keeps what a linear model of pixels could use, which
specialists trained on other bands may lose.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.encoding.adapters import BandAdapter
from eosfm.encoding.input import SPECTRAL, InputFormat, InputSpec
from eosfm.nn.pyramid import STRIDES


def spectral_input(given: InputFormat) -> InputSpec:
    """The entry of what arrives: every band, its mean and its deviation at each level."""
    channels = tuple(range(given.in_chans))
    names = given.bands or tuple(f"channel {channel}" for channel in channels)
    note = "mean and deviation of each cell, no weights"
    widths = (2 * given.in_chans,) * len(STRIDES)
    return InputSpec(SPECTRAL, widths, -1, "as it is", names, channels, note)


class SpectralPyramid(nn.Module):
    """Mean and standard deviation of each standardised band in the cells of every level.

    Args:
        given: What arrives; standardised here where its statistics are known.
    """

    def __init__(self, given: InputFormat) -> None:
        super().__init__()
        channels = tuple(range(given.in_chans))
        self.adapter = BandAdapter(channels, given.in_chans, given.mean, given.std)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W), sides multiples of 32, to levels (B, 2C, H/s, W/s), s in 4, 8, 16, 32."""
        x = self.adapter(x)
        levels = []
        for stride in STRIDES:
            mean, power = F.avg_pool2d(x, stride), F.avg_pool2d(x.square(), stride)
            # Rounding may make the variance of a uniform cell negative.
            deviation = (power - mean.square()).clamp_min(0).sqrt()
            levels.append(torch.cat([mean, deviation], dim=1))
        return levels
