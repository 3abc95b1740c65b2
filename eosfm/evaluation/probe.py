"""What is trained downstream: fusion, merging of dates, head."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from eosfm.encoding.input import InputSpec
from eosfm.evaluation.feature_fusion import Fusing, build_fusing, needs_maps
from eosfm.evaluation.trial import Trial
from eosfm.features.source import Levels
from eosfm.fusion.fuser import Fuser
from eosfm.heads.decoders import PooledLinear
from eosfm.heads.temporal import build_merge
from eosfm.nn.pyramid import cut_maps, on_grid
from eosfm.params import Fusion


class Probe(nn.Module):
    """Fusion, merging of dates and head on frozen features."""

    def __init__(self, fuser: Fuser, trial: Trial) -> None:
        super().__init__()
        task = trial.task
        self.fusing = build_fusing(fuser, task.kind.answer == "image", task.aggregation)
        self.merge = build_merge(task.aggregation, fuser.out_channels, len(task.dates))
        self.head = trial.build_head(self.merge.out_channels)

    def forward(self, inputs: tuple[Levels, Tensor], size: tuple[int, int]) -> Tensor:
        """Logits from prepared levels and days."""
        levels, days = inputs
        return self.head(self.merge(self.fusing(levels), days), size)


class PooledProbe(nn.Module):
    """All pyramids side by side, averaged over pixels, and a linear layer: nothing to train.

    Features that are stored as averages are normalised and side by side already.
    """

    def __init__(self, fusion: Fusion, inputs: Sequence[InputSpec], trial: Trial) -> None:
        super().__init__()
        task = trial.task
        fuser = Fuser(inputs, fusion="concat", normalize=fusion.normalize)
        self.fusing = Fusing(fuser)
        self.averages = not needs_maps(fusion, task)
        self.merge = build_merge(task.aggregation, fuser.out_channels, len(task.dates))
        self.head = PooledLinear(self.merge.out_channels, len(task.classes))
        self.eval()

    def forward(self, inputs: tuple[Levels, Tensor], size: tuple[int, int]) -> Tensor:
        """Logits (B, K) from levels and days, in the precision in which the layer was solved."""
        merged = self._merged(inputs)
        with torch.autocast(merged[0].device.type, enabled=False):
            return self.head(merged, size)

    def pooled(self, inputs: tuple[Levels, Tensor]) -> Tensor:
        """What the linear layer sees: (B, C)."""
        return torch.cat([level.mean(dim=(-2, -1)) for level in self._merged(inputs)], dim=1)

    def _merged(self, inputs: tuple[Levels, Tensor]) -> list[Tensor]:
        levels, days = inputs
        if not self.averages:
            levels = self.fusing(levels)
        return self.merge([level.float() for level in levels], days)


class EndToEnd(nn.Module):
    """A backbone, merging of dates and head on images: everything is trained.

    Args:
        backbone: From images (B, C, H, W) to four maps.
        channels: Channels of the maps.
        trial: The task.
    """

    def __init__(
        self, backbone: Callable[[Tensor], Any], channels: Sequence[int], trial: Trial
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.merge = build_merge(trial.task.aggregation, channels, len(trial.task.dates))
        self.head = trial.build_head(self.merge.out_channels)

    def forward(self, inputs: tuple[Tensor, Tensor], size: tuple[int, int]) -> Tensor:
        """Logits from images (B, T, C, h, w) and days."""
        images, days = inputs
        # As for frozen encoders: pad and cut, so that the decoded maps stay aligned with the image.
        height, width = images.shape[-2:]
        maps = cut_maps(self.backbone(on_grid(images.flatten(0, 1))), (height, width))
        series = [level.unflatten(0, (-1, images.shape[1])) for level in maps]
        return self.head(self.merge(series, days), size)


def build_probe(fusion: Fusion, inputs: Sequence[InputSpec], trial: Trial) -> Probe:
    """A fresh model of a task's fusion, merging of dates and head."""
    return Probe(build_fuser(fusion, inputs), trial)


def build_fuser(fusion: Fusion, inputs: Sequence[InputSpec]) -> Fuser:
    """A fresh fusion of some pyramids."""
    limit = fusion.limit
    specialists = {spec.name for spec in inputs if not spec.spectral}
    return Fuser(
        inputs,
        fusion=fusion.method,
        width_multiplier=fusion.width_multiplier,
        normalize=fusion.normalize,
        projection=fusion.projection,
        # A task may have fewer than are asked for.
        max_encoders=None if limit is None else min(limit, len(specialists)),
        # Forward selection is already done here, so the fuser's gates have nothing to select.
        selection="topk" if fusion.selection == "forward" else fusion.selection,
        scale_features=fusion.scale_features,
    )
