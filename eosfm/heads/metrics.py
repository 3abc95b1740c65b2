"""Metrics: what each number averages over, and what it leaves out.

All accumulate counts or sums over a whole split, so a result does not depend on the batches.
``miou`` averages over all classes, the same for every model: one that does not occur in the split
counts as 0, as in PANGAEA (arXiv 2412.04204). The other means are over the classes that occur, as
target or (but for ``map``) as prediction. A class that does not occur has no score of its own.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.loading import lean
from eosfm.heads.fcos import MAX_DETECTIONS, Cells, Objects

with lean():
    from torchmetrics import Metric
    from torchmetrics.detection import MeanAveragePrecision
    from torchmetrics.functional.classification import binary_average_precision


class ConfusionScores(Metric):
    """Scores that follow from the confusion matrix over labelled targets.

    ``accuracy``, ``f1`` (macro) and ``f1/<class>``; of pixels ``miou`` and ``iou/<class>`` instead.

    Args:
        classes: Class names.
        ignore_index: Target value that does not count.
        pixels: Whether pixels are scored rather than images.
        only: The one class whose F1 counts.
    """

    full_state_update = False

    def __init__(
        self, classes: Sequence[str], ignore_index: int, pixels: bool, only: int | None = None
    ) -> None:
        super().__init__()
        self.pixels, self.only = pixels, only
        self.classes = tuple(classes)
        self.ignore_index = ignore_index
        size = len(self.classes)
        zeros = torch.zeros(size, size, dtype=torch.int64)
        self.add_state("matrix", zeros, dist_reduce_fx="sum")  # rows: target; columns: prediction
        self.matrix: Tensor

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Count (B, K, ...) logits against (B, ...) class indices."""
        labelled = target != self.ignore_index
        truth = target[labelled].long()
        guess = logits.argmax(dim=1)[labelled]
        size = len(self.classes)
        # bincount on CUDA counts integers exactly; torchmetrics' own replacement under
        # deterministic algorithms builds a (pixels, K * K) table.
        self.matrix += torch.bincount(truth * size + guess, minlength=size * size).view(size, size)

    def compute(self) -> dict[str, float]:
        """Compute the scores; classes that do not occur have none of their own."""
        matrix = self.matrix.double().cpu()
        hits, truth, guesses = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
        f1 = 2 * hits / (truth + guesses)  # NaN where the class does not occur
        # None of the one class that counts, and none found, counts as 0.
        whole = {
            "accuracy": float(hits.sum() / _labelled(truth.sum())),
            "f1": _mean(f1) if self.only is None else float(f1[self.only].nan_to_num()),
        }
        if not self.pixels:
            return whole | _by_class("f1", self.classes, f1)
        iou = hits / (truth + guesses - hits)
        counted = [index for index in range(len(iou)) if index != self.ignore_index]
        miou = float(iou[counted].nan_to_num().mean())
        return {"miou": miou, **whole, **_by_class("iou", self.classes, iou)}


class LabelScores(Metric):
    """Average precision and F1 over labels that are not exclusive.

    torchmetrics' own give a label without a positive 0 and refuse a single label.
    """

    full_state_update = False

    def __init__(self, classes: Sequence[str], ignore_index: int) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.ignore_index = ignore_index
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("targets", [], dist_reduce_fx="cat")
        self.logits: list[Tensor]
        self.targets: list[Tensor]

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Keep (B, K) logits and 0/1 targets."""
        self.logits.append(logits.detach().float())
        self.targets.append(target)

    def compute(self) -> dict[str, float]:
        """Compute the scores; labels without a positive have no average precision."""
        logits, target = _cat(self.logits), _cat(self.targets).long()
        labelled = target != self.ignore_index
        _labelled(labelled.sum())
        precision = torch.stack(
            [
                _average_precision(logits[labelled[:, k], k], target[labelled[:, k], k])
                for k in range(target.shape[1])
            ]
        )
        guess = (logits > 0) & labelled
        truth = (target == 1) & labelled
        counts = (truth.sum(0) + guess.sum(0)).double()
        f1 = 2 * (truth & guess).sum(0) / counts
        scores = {"map": _mean(precision), "f1": _mean(f1)}
        return scores | _by_class("ap", self.classes, precision)


class RegressionScores(Metric):
    """Errors over labelled pixels, from sums in double precision.

    torchmetrics' own sum in single precision and refuse a single target.
    """

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for name in ("count", "squared", "absolute", "total", "total_squared"):
            zero = torch.zeros((), dtype=torch.float64)
            self.add_state(name, zero, dist_reduce_fx="sum")
        self.count: Tensor
        self.squared: Tensor
        self.absolute: Tensor
        self.total: Tensor
        self.total_squared: Tensor

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Add (B, 1, H, W) predictions against (B, H, W) targets with NaN where unlabelled."""
        labelled = ~target.isnan()
        truth = target[labelled].double()
        error = logits.squeeze(1)[labelled].double() - truth
        self.count += labelled.sum()
        self.squared += error.square().sum()
        self.absolute += error.abs().sum()
        self.total += truth.sum()
        self.total_squared += truth.square().sum()

    def compute(self) -> dict[str, float]:
        """Compute the scores; ``r2`` is 0 where the target does not vary."""
        count = _labelled(self.count)
        variation = float(self.total_squared - self.total.square() / count)
        return {
            "rmse": math.sqrt(float(self.squared) / count),
            "mae": float(self.absolute) / count,
            "r2": 1.0 - float(self.squared) / variation if variation > 0 else 0.0,
        }


class BoxScores(MeanAveragePrecision):
    """``map50``: average precision at IoU 0.5 as COCO computes it, mean over the classes.

    Precision is interpolated at 101 recalls. Classes that occur in no target do not count;
    ``ap/<class>`` is that of one class.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__(
            iou_thresholds=[0.5],
            max_detection_thresholds=[1, 100, MAX_DETECTIONS],
            extended_summary=True,
        )
        self.names = tuple(classes)

    def update(self, logits: Cells, target: Sequence[Objects]) -> None:  # type: ignore[override]
        """Keep what is found in a batch, and what is there."""
        super().update(logits.objects(), list(target))

    def compute(self) -> dict[str, float]:
        """Compute the scores."""
        if not any(len(labels) for labels in self.groundtruth_labels):
            raise EosfmError(
                "no object in what was scored; expected at least one; check the split's targets"
            )
        result = super().compute()
        # IoU, recall, class, size range (the first is any), number of detections
        precision = result["precision"][0, :, :, 0, -1].double().mean(dim=0)
        classes = result["classes"].reshape(-1).tolist()
        scores = {
            f"ap/{self.names[label]}": float(value)
            for label, value in zip(classes, precision, strict=True)
            if value >= 0  # -1: in no target
        }
        return {"map50": sum(scores.values()) / len(scores), **scores}


def _average_precision(logits: Tensor, target: Tensor) -> Tensor:
    """Average precision of one label, (N,) against (N,); NaN where no target is positive."""
    if not target.any():
        return torch.tensor(math.nan)
    # Double precision, so that confident logits do not tie at 1.
    return binary_average_precision(logits.double().sigmoid(), target).float().cpu()


def _by_class(metric: str, classes: Sequence[str], values: Tensor) -> dict[str, float]:
    """``<metric>/<class>`` of each class whose value is not NaN."""
    return {
        f"{metric}/{name}": value
        for name, value in zip(classes, values.tolist(), strict=True)
        if not math.isnan(value)
    }


def _mean(values: Tensor) -> float:
    """The mean of the values that are not NaN; 0 where there is none."""
    kept = values[~values.isnan()]
    return float(kept.double().mean()) if kept.numel() else 0.0


def _labelled(count: Tensor) -> float:
    """The number of labelled targets, once there is one."""
    if count == 0:
        raise EosfmError(
            "no labelled target in what was scored; expected at least one; "
            "check the split and the dataset's ignore index"
        )
    return float(count)


def _cat(parts: list[Tensor] | Tensor) -> Tensor:
    """Join a list state, which is a tensor already after a sync between processes."""
    return parts if isinstance(parts, Tensor) else torch.cat(parts)
