"""Task kinds: heads, losses and metrics, shared by specialists and downstream tasks."""

from eosfm.kinds.constant import TargetStatistics, target_statistics, trivial_logits
from eosfm.kinds.heads import PhysicalUnits, build_head
from eosfm.kinds.losses import LOSSES, balanced_weights, build_loss
from eosfm.kinds.metrics import HEADLINE, build_metrics, gather_classes, predict, score01

__all__ = [
    "HEADLINE",
    "LOSSES",
    "PhysicalUnits",
    "TargetStatistics",
    "balanced_weights",
    "build_head",
    "build_loss",
    "build_metrics",
    "gather_classes",
    "predict",
    "score01",
    "target_statistics",
    "trivial_logits",
]
