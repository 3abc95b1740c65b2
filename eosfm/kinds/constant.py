"""The answer that looks at no image: what any model has to beat."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError


@dataclass(frozen=True)
class TargetStatistics:
    """What a training split's targets look like.

    Attributes:
        counts: Labelled targets per class (positives per label for multilabel, objects for
            detection); empty for regression.
        labelled: Labelled targets, in all (per label for multilabel).
        mean: Mean of a regression target in its unit; 0 for other kinds.
        std: Standard deviation of a regression target, 1 where it does not vary or for other kinds.
        boxes: Mean box of each class, x_min, y_min, x_max, y_max in pixels (all 0 for a class
            without objects); empty for kinds other than detection.
    """

    counts: tuple[int, ...]
    labelled: int
    mean: float = 0.0
    std: float = 1.0
    boxes: tuple[tuple[float, ...], ...] = ()


def target_statistics(
    kind: str, targets: Iterable[np.ndarray], classes: int, ignore_index: int
) -> TargetStatistics:
    """Summarise targets as the tile store holds them, one at a time.

    Raises:
        EosfmError: None is labelled.
    """
    if kind == "regression":
        return _regression_statistics(targets)
    if kind == "detection":
        return _object_statistics(targets, classes)
    counts = np.zeros(classes, dtype=np.int64)
    labelled = 0
    for target in targets:
        target = np.asarray(target)
        if kind == "multilabel":
            counts += target == 1
            labelled += 1
        else:
            known = target[target != ignore_index].astype(np.int64)
            counts += np.bincount(known, minlength=classes)
            labelled += known.size
    return TargetStatistics(tuple(counts.tolist()), _some(labelled))


def trivial_logits(
    kind: str, statistics: TargetStatistics, target: Tensor | Sequence[Tensor]
) -> Tensor:
    """Logits of the constant answer for a batch: majority class, label frequencies, or mean.

    For detection that is the mean box of each class, scored by the share of objects of that class.

    Args:
        kind: Task kind.
        statistics: Of the training targets.
        target: Batch of targets, (B,), (B, K), (B, H, W) or a list of B (n, 5) boxes: gives the
            shape.

    Returns:
        (B, K), (B, K, H, W) or for detection (B, K, 8 + K), as a head's.
    """
    if not isinstance(target, Tensor):
        return _mean_boxes(statistics).expand(len(target), -1, -1)
    if kind == "regression":
        return torch.full_like(target, statistics.mean).unsqueeze(1)
    counts = torch.tensor(statistics.counts, dtype=torch.float32)
    if kind == "multilabel":
        share = (counts + 0.5) / (statistics.labelled + 1)
        return share.logit().expand(len(target), -1)
    spread = (1,) * (target.ndim - 1)
    return counts.view(1, -1, *spread).expand(len(target), -1, *target.shape[1:])


def _regression_statistics(targets: Iterable[np.ndarray]) -> TargetStatistics:
    count, total, squared = 0, 0.0, 0.0
    for target in targets:
        known = target[~np.isnan(target)].astype(np.float64)
        count, total = count + known.size, total + known.sum()
        squared += np.square(known).sum()
    mean = float(total / _some(count))
    variance = max(float(squared / count) - mean**2, 0.0)
    return TargetStatistics((), count, mean, variance**0.5 or 1.0)


def _object_statistics(targets: Iterable[np.ndarray], classes: int) -> TargetStatistics:
    objects = np.concatenate([np.empty((0, 5)), *targets])
    labels = objects[:, 4].astype(int)
    counts = np.bincount(labels, minlength=classes)
    sums = np.zeros((classes, 4))
    np.add.at(sums, labels, objects[:, :4])
    boxes = sums / np.maximum(counts, 1)[:, None]
    return TargetStatistics(
        tuple(counts.tolist()), _some(len(objects)), boxes=tuple(map(tuple, boxes.tolist()))
    )


def _mean_boxes(statistics: TargetStatistics) -> Tensor:
    """(1, K, 8 + K): one cell per class, which is sure of its box and knows but that class."""
    from eosfm.kinds.detection import join

    count = len(statistics.counts)
    share = (torch.tensor(statistics.counts) + 0.5) / (statistics.labelled + 1)
    logits = torch.full((count, count), -torch.inf).diagonal_scatter(share.logit())
    return join(
        torch.tensor(statistics.boxes)[None],
        torch.ones(count, 3),
        torch.full((1, count, 1), torch.inf),
        logits[None],
    )


def _some(count: int) -> int:
    if count == 0:
        raise EosfmError(
            "no labelled target in the training split; expected at least one; "
            "check the split and the dataset's ignore index"
        )
    return count
