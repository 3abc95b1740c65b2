"""Metrics: what each number averages over, and what it leaves out.

All accumulate counts or sums over a whole split, so a result does not depend on the batches.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_average_precision

from eosfm.core.errors import EosfmError, suggest

HEADLINE: dict[str, str] = {
    "classification": "accuracy",
    "multilabel": "map",
    "segmentation": "miou",
    "change": "f1",
    "regression": "r2",
    "detection": "map50",
}
"""The metric that chooses the best epoch of each task kind; higher is better for all."""

SCORES = ("miou", "accuracy", "map", "map50", "f1", "r2")
"""Metrics that :func:`score01` turns into a score."""


def build_metrics(kind: str, classes: Sequence[str], ignore_index: int) -> Metric:
    """Build a task's metrics: ``update(logits, target)``, ``compute() -> dict[str, float]``.

    * segmentation: ``miou``, ``accuracy`` (share of pixels), ``f1`` (macro), ``iou/<class>``;
    * change: the same with ``f1`` that of class 1 alone;
    * classification: ``accuracy`` (share of images), ``f1`` (macro), ``f1/<class>``;
    * multilabel: ``map`` (macro average precision), ``f1`` (macro, at probability 0.5),
      ``ap/<class>`` (average precision);
    * regression: ``rmse`` and ``mae`` in the target's unit, ``r2``;
    * detection: ``map50`` (macro average precision at IoU 0.5), ``ap/<class>``.

    Macro means the plain mean over the classes that occur in the split, as target or (but for
    ``map``) as prediction; a class that does not has no score of its own, see
    :func:`gather_classes`. Targets equal to ``ignore_index``, or NaN, do not count.

    Raises:
        EosfmError: There are no metrics for this kind.
    """
    if kind == "multilabel":
        return LabelScores(classes, ignore_index)
    if kind == "regression":
        return RegressionScores()
    if kind in ("classification", "segmentation", "change"):
        return ClassScores(kind, classes, ignore_index)
    if kind == "detection":
        from eosfm.kinds.detection import BoxScores

        return BoxScores(classes)
    raise EosfmError(f"no metrics for task kind {kind!r}; valid: {', '.join(HEADLINE)}")


def predict(kind: str, logits: Tensor) -> Tensor:
    """Turn logits into what the target looks like.

    Returns:
        Class indices (B,) or (B, H, W); 0 or 1 per label (B, K); regression values (B, H, W).
    """
    if kind == "multilabel":
        return (logits > 0).to(torch.uint8)
    if kind == "regression":
        return logits.squeeze(1)
    return logits.argmax(dim=1)


def gather_classes(scores: Mapping[str, float], classes: Sequence[str]) -> dict[str, Any]:
    """Set the scores of single classes apart, for a result that people read.

    Args:
        scores: What a metric of :func:`build_metrics` computed.
        classes: All class names, in their order.

    Returns:
        The scores of the whole split, and ``per_class``: the score (IoU, F1 or average precision)
        by class name, None where the class does not occur; empty where there are no such scores.
    """
    whole = {key: value for key, value in scores.items() if "/" not in key}
    single = {key.partition("/")[2]: value for key, value in scores.items() if "/" in key}
    per_class = {name: single.get(name) for name in classes} if single else {}
    return {**whole, "per_class": per_class}


def score01(metric: str, value: float) -> float:
    """A metric as a score from 0 to 1, higher is better; R2 is clipped at 0.

    Raises:
        EosfmError: The metric has no such form (errors in the target's unit: use ``r2``).
    """
    if metric not in SCORES:
        raise EosfmError(f"{metric!r} is not a 0-to-1 score; {suggest(metric, SCORES)}")
    return min(max(value, 0.0), 1.0)


class ClassScores(Metric):
    """Scores that follow from the confusion matrix over labelled targets."""

    full_state_update = False

    def __init__(self, kind: str, classes: Sequence[str], ignore_index: int) -> None:
        super().__init__()
        self.kind = kind
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
        guess = predict(self.kind, logits)[labelled]
        size = len(self.classes)
        # bincount on CUDA counts integers exactly; torchmetrics' own replacement under
        # deterministic algorithms builds a (pixels, K * K) table.
        self.matrix += torch.bincount(truth * size + guess, minlength=size * size).view(size, size)

    def compute(self) -> dict[str, float]:
        """Compute the scores; classes that do not occur have none of their own."""
        matrix = self.matrix.double().cpu()
        hits, truth, guesses = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
        total = _labelled(truth.sum())
        occurs = truth + guesses > 0
        f1 = 2 * hits / (truth + guesses)  # NaN where the class does not occur
        iou = hits / (truth + guesses - hits)
        accuracy = {"accuracy": float(hits.sum() / total)}
        if self.kind == "classification":
            return accuracy | {"f1": float(f1[occurs].mean())} | _by_class("f1", self.classes, f1)
        scores = {
            "miou": float(iou[occurs].mean()),
            **accuracy,
            # Change is scored on the changed pixels; none, and none found, counts as 0.
            "f1": float(f1[1].nan_to_num()) if self.kind == "change" else float(f1[occurs].mean()),
        }
        return scores | _by_class("iou", self.classes, iou)


class LabelScores(Metric):
    """Average precision and F1 over labels that are not exclusive."""

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
        guess = (predict("multilabel", logits).bool()) & labelled
        truth = (target == 1) & labelled
        counts = (truth.sum(0) + guess.sum(0)).double()
        f1 = 2 * (truth & guess).sum(0) / counts
        scores = {"map": _mean(precision), "f1": _mean(f1)}
        return scores | _by_class("ap", self.classes, precision)


class RegressionScores(Metric):
    """Errors over labelled pixels, from sums in double precision."""

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
        error = predict("regression", logits)[labelled].double() - truth
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
