"""Constant baselines as logits: answers that ignore the image, which any model has to beat."""

import torch
from torch import Tensor

from eosfm.kinds.targets import TargetStatistics


def majority(statistics: TargetStatistics, target: Tensor) -> Tensor:
    """Logits (B, K, ...) for targets (B, ...): class counts, the highest for the most frequent."""
    counts = torch.tensor(statistics.counts, dtype=torch.float32)
    ones = (1,) * (target.ndim - 1)
    return counts.view(1, -1, *ones).expand(len(target), -1, *target.shape[1:])


def frequencies(statistics: TargetStatistics) -> Tensor:
    """(K,) log-odds of each label, or of each class among the objects."""
    counts = torch.tensor(statistics.counts, dtype=torch.float32)
    labelled = torch.tensor(statistics.each or [statistics.labelled] * len(counts))
    return ((counts + 0.5) / (labelled + 1)).logit()
