"""Task kinds: heads, losses and metrics, shared by specialists and downstream tasks."""

from eosfm.tasks.heads import PhysicalUnits, build_head
from eosfm.tasks.losses import LOSSES, balanced_weights, build_loss
from eosfm.tasks.metrics import HEADLINE, build_metrics, gather_classes, predict, score01
from eosfm.tasks.trivial import TargetStatistics, target_statistics, trivial_logits

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
