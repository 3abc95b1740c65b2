"""Pooled features for heads with one answer per image: a few kilobytes per image.

Averaging over pixels may come before the fusion only where what follows is linear and the same for
every pixel: after the per-pixel normalisation (the default), but not before it. So features are
normalised before they are pooled.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from eosfm.encoding.input import InputSpec
from eosfm.features.source import Levels, split_levels

NORMALIZE = "pixel"
"""The one of :data:`eosfm.fusion.normalizers.NORMALIZERS` that this is, with initial weights."""

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
