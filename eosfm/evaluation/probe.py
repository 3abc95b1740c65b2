"""What is trained downstream: fusion, merging of dates, head."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.core.errors import EosfmError
from eosfm.evaluation.feature_fusion import build_fusing
from eosfm.evaluation.fit import Trial
from eosfm.features.frozen import Levels
from eosfm.fusion.fuser import Fuser
from eosfm.kinds import PhysicalUnits, build_head, target_statistics
from eosfm.kinds.heads import IMAGE_KINDS
from eosfm.nn.temporal import build_merge


def check_head(head: str, kind: str, name: str) -> None:
    """Refuse a head that does not fit a task's labels.

    Raises:
        EosfmError: One line saying which would.
    """
    valid = ("linear", "knn") if kind in IMAGE_KINDS else ("upernet", "linear")
    if head not in valid:
        raise EosfmError(
            f"tasks.{name}.head is {head!r}, which does not fit {kind}; "
            f"set it to {' or '.join(valid)}"
        )


class Probe(nn.Module):
    """Fusion, merging of dates and head on frozen features."""

    def __init__(self, fuser: Fuser, trial: Trial) -> None:
        super().__init__()
        aggregation = trial.task.aggregation
        self.fusing = build_fusing(fuser, trial.store.kind, aggregation)
        self.merge = build_merge(aggregation, fuser.out_channels, trial.dates)
        self.head = task_head(trial, self.merge.out_channels)

    def forward(self, inputs: tuple[Levels, Tensor], size: tuple[int, int]) -> Tensor:
        """Logits from prepared levels and days."""
        levels, days = inputs
        return self.head(self.merge(self.fusing(levels), days), size)


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
        self.merge = build_merge(trial.task.aggregation, channels, trial.dates)
        self.head = task_head(trial, self.merge.out_channels)

    def forward(self, inputs: tuple[Tensor, Tensor], size: tuple[int, int]) -> Tensor:
        """Logits from images (B, T, C, h, w) and days."""
        images, days = inputs
        height, width = images.shape[-2:]
        # The encoder halves five times; a side of 60 px becomes 64.
        padding = (0, -width % 32, 0, -height % 32)
        maps = self.backbone(F.pad(images.flatten(0, 1), padding, mode="replicate"))
        series = [level.unflatten(0, (-1, images.shape[1])) for level in maps]
        return self.head(self.merge(series, days), size)


def task_head(trial: Trial, channels: Sequence[int]) -> nn.Module:
    """The head that a task's labels need; a k-NN task's trained counterpart is linear."""
    store = trial.store
    head = "linear" if trial.task.head == "knn" else trial.task.head
    width = trial.protocol.decoder_channels
    if store.kind != "regression":
        return build_head(store.kind, head, channels, len(store.classes), width)
    tiles = store.split("train")
    targets = (tiles.target(i) for i in range(len(tiles)))
    statistics = target_statistics(store.kind, targets, 1, store.ignore_index)
    return PhysicalUnits(
        build_head(store.kind, head, channels, 1, width), statistics.mean, statistics.std
    )
