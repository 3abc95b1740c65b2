"""Pooled features: what heads with one answer per image read, in a few kilobytes an image.

Averaging over pixels may come before the fusion where the rest of the fusion treats pixels alike
and linearly: after normalisation pixel by pixel, the default, but not before it. So what is pooled
is normalised first.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from eosfm.encoding.input import InputSpec
from eosfm.features.source import Levels, split_levels

NORMALIZE = "pixel"
"""Which of :data:`eosfm.fusion.normalizers.NORMALIZERS` this is, at its weights' start."""

EPS = 1e-6


def pool(levels: Levels, inputs: Sequence[InputSpec]) -> Levels:
    """Normalise each cell of each pyramid over its channels, and average over cells.

    Args:
        levels: (B, T, C, h, w), the channels of the pyramids of ``inputs`` side by side.
        inputs: What the pyramids are.

    Returns:
        (B, T, C, 1, 1) in the type of ``levels``.
    """
    return [
        torch.cat([_pooled(*pair) for pair in zip(parts, inputs, strict=True)], 2)[..., None, None]
        for parts in split_levels(levels, inputs)
    ]


def _pooled(part: Tensor, spec: InputSpec) -> Tensor:
    cells = part.float().movedim(2, -1)
    if not spec.spectral:  # how bright a pixel is would be gone
        cells = F.layer_norm(cells, cells.shape[-1:], eps=EPS)
    return cells.mean(dim=(2, 3)).to(part.dtype)
