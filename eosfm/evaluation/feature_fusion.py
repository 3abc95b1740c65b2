"""Fusion of stored features: :class:`eosfm.model.Fuser` on levels with a date axis.

``prepare`` does the parts without weights, once per item; ``forward`` does the rest, at every step.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.features.pooling import NORMALIZE
from eosfm.features.source import Levels, split_levels
from eosfm.features.task import Task
from eosfm.fusion.fuser import Fuser
from eosfm.fusion.selection import Selection
from eosfm.heads.temporal import mean_date, seen_dates
from eosfm.params import Aggregation, Fusion


class Fusing(nn.Module):
    """Any fusion: splits levels into pyramids and folds dates into the batch."""

    def __init__(self, fuser: Fuser) -> None:
        super().__init__()
        self.fuser = fuser

    def prepare(self, levels: Levels, days: Tensor | None = None) -> Levels:
        """Nothing can be done ahead."""
        return levels

    def forward(self, levels: Levels) -> list[Tensor]:
        """Fuse (B, T, C, h, w) levels to (B, T, C', h, w)."""
        dates = levels[0].shape[1]
        parts = split_levels([level.flatten(0, 1) for level in levels], self.fuser.inputs, dim=1)
        fused = self.fuser(list(zip(*parts, strict=True)))
        return [level.unflatten(0, (-1, dates)) for level in fused]


class LinearFusing(nn.Module):
    """``conv1x1`` of pyramids normalised one by one, as one matrix product per level.

    The normalisation's own scale and shift stay at 1 and 0, since a linear map follows. So the
    normalised features are constants, and later linear steps may come first: the average over
    pixels, or over dates. The output equals that of the fuser.

    Args:
        fuser: A fuser with suitable options; see :func:`build_fusing`.
        pool: Average over pixels first, for heads that would pool anyway; with per-pixel
            normalisation the inputs are averages already (:mod:`eosfm.features.pooling`).
        average: Average over dates first.
    """

    def __init__(self, fuser: Fuser, pool: bool, average: bool) -> None:
        super().__init__()
        fuser.norms.requires_grad_(False)
        self.fuser = fuser
        self.pool = pool
        self.pooled = pool and fuser.options.normalize == NORMALIZE
        self.average = average
        gates = torch.tensor(fuser.gate_index)
        for k in range(len(fuser.mixers)):
            widths = torch.tensor([spec.channels[k] for spec in fuser.inputs])
            owner = F.one_hot(gates.repeat_interleave(widths), len(fuser.names)).float()
            self.register_buffer(f"owner{k}", owner, persistent=False)

    @torch.no_grad()
    def prepare(self, levels: Levels, days: Tensor | None = None) -> Levels:
        """Normalise: (B, T, C, h, w) to (B, T', h', w', C); a date without a day has no image."""
        normal = [level.float() for level in levels] if self.pooled else self._normal(levels)
        if self.pool:
            normal = [level.mean(dim=(-2, -1), keepdim=True) for level in normal]
        if self.average:
            seen = None if days is None else seen_dates(days)
            normal = [mean_date(level, seen).unsqueeze(1) for level in normal]
        return [level.permute(0, 1, 3, 4, 2) for level in normal]

    def _normal(self, levels: Levels) -> Levels:
        dates = levels[0].shape[1]
        parts = split_levels([level.flatten(0, 1) for level in levels], self.fuser.inputs, dim=1)
        pyramids = [
            self.fuser.prepare(index, pyramid)
            for index, pyramid in enumerate(zip(*parts, strict=True))
        ]
        return [
            torch.cat(parts, dim=1).unflatten(0, (-1, dates))
            for parts in zip(*pyramids, strict=True)
        ]

    def forward(self, levels: Levels) -> list[Tensor]:
        """Fuse prepared levels to (B, T', C', h', w')."""
        selection = self.fuser.selection
        gates = None if selection is None else self.fuser.with_bands(selection())
        if gates is not None and isinstance(selection, Selection) and self.training:
            # Specialists dropped for good get no gradient.
            gates = gates * self.fuser.with_bands(selection.active.float())
        fused = []
        for k, (level, mixer) in enumerate(zip(levels, self.fuser.mixers, strict=True)):
            conv = cast(nn.Conv2d, mixer)
            weight = conv.weight.flatten(1)
            if gates is not None:
                # A product, since the gradient of picking each channel's gate is slow.
                weight = weight * (self.get_buffer(f"owner{k}") @ gates)
            fused.append(F.linear(level, weight, conv.bias).permute(0, 1, 4, 2, 3))
        return fused


def build_fusing(
    fuser: Fuser, per_image: bool, aggregation: Aggregation | None
) -> Fusing | LinearFusing:
    """The cheapest module that computes what ``fuser`` would for a task.

    Args:
        fuser: What is to be computed.
        per_image: Whether the head gives one answer per image.
        aggregation: How dates are merged afterwards.
    """
    options = fuser.options
    linear = options.fusion == "conv1x1" and not options.projection
    if not linear or options.normalize == "batch":
        return Fusing(fuser)
    # Every merge but attention treats pixels alike and linearly.
    pool = per_image and aggregation != "ltae"
    return LinearFusing(fuser, pool, average=aggregation == "mean")


def needs_maps(fusion: Fusion, task: Task) -> bool:
    """Whether a task needs feature maps, and not only their averages over pixels.

    The stored averages are of maps normalised per pixel. ``batch`` and ``layer`` need the variance
    over pixels, and ``mlp``, ``multiplication``, ``geometric_mean`` and projections are not linear.
    ``concat`` and ``addition`` could use averages, but take maps to keep this rule short.
    """
    if not task.pools:
        return True
    if task.head == "knn":
        return False
    linear = task.head == "ridge" or (fusion.method == "conv1x1" and not fusion.projection)
    return not (linear and fusion.normalize == NORMALIZE and task.aggregation != "ltae")
