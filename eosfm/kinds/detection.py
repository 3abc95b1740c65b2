"""Detection: a box and a class per object."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eosfm.core.named import named
from eosfm.kinds.examples import Examples
from eosfm.kinds.kind import HeadSpec, Kind
from eosfm.kinds.targets import TargetStatistics, rarest, require_labelled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn
    from torchmetrics import Metric


class Detection(Kind):
    """Stored targets are (n, 5) of x_min, y_min, x_max, y_max in pixels, and class; n may be 0.

    Batched targets and predictions are per image ``boxes`` (n, 4) and ``labels`` (n,), predictions
    with ``scores`` (n,), as torchvision and torchmetrics take them; logits are
    :class:`eosfm.heads.fcos.Cells`.
    """

    name = "detection"
    answer = "object"
    heads = ("fcos",)
    losses = ("fcos",)
    metrics = ("map50",)
    headline = "map50"
    target_key = "bbox_xyxy"
    unweighted = "detection's focal loss does that"

    def target_layout(self, classes: int, size: tuple[int, ...], ignore_index: int) -> None:
        """A table: the number of objects varies."""

    def fault(
        self, target: np.ndarray, size: tuple[int, ...], classes: int, ignore_index: int | None
    ) -> str | None:
        """See :meth:`Kind.fault`."""
        if target.ndim != 2 or target.shape[1] != 5:
            return f"boxes of shape {target.shape}; expected (n, 5)"
        if len(target) and target[:, :4].max() <= 1:
            return "boxes within a pixel; expected x_min, y_min, x_max, y_max in pixels"
        lower, upper = target[:, :2], target[:, 2:4]
        good = ((lower >= 0) & (lower <= upper) & (upper <= size[::-1])).all(axis=1)
        if not good.all():
            box = " ".join(f"{side:g}" for side in target[~good][0, :4])
            return (
                f"a box of {box} in a window of {size[1]} columns and {size[0]} rows; expected "
                "x_min, y_min, x_max, y_max in it, as `boxes_in` of native/labels.py gives them"
            )
        return super().fault(target[:, 4], size, classes, ignore_index)

    def target_statistics(
        self, targets: Iterable[np.ndarray], classes: int, ignore_index: int
    ) -> TargetStatistics:
        """See :meth:`Kind.target_statistics`."""
        objects = np.concatenate([np.empty((0, 5)), *targets])
        labels = objects[:, 4].astype(int)
        counts = np.bincount(labels, minlength=classes)
        sums = np.zeros((classes, 4))
        np.add.at(sums, labels, objects[:, :4])
        boxes = sums / np.maximum(counts, 1)[:, None]
        return TargetStatistics(
            tuple(counts.tolist()),
            require_labelled(len(objects)),
            boxes=tuple(map(tuple, boxes.tolist())),
        )

    def strata(self, targets: Sequence[np.ndarray], classes: int, ignore_index: int) -> np.ndarray:
        """The rarest class among the objects."""
        return rarest(np.array([np.isin(np.arange(classes), boxes[:, 4]) for boxes in targets]))

    def target(self, batch: Mapping[str, Any]) -> "list[dict[str, Tensor]]":
        """Boxes and labels of each image."""
        return [
            {"boxes": boxes, "labels": labels}
            for boxes, labels in zip(batch["bbox_xyxy"], batch["label"], strict=True)
        ]

    def head(self, spec: HeadSpec) -> "nn.Module":
        """See :meth:`Kind.head`."""
        return named("eosfm.heads.fcos.Detector")(spec.channels, spec.classes, spec.width)

    def trim(self, logits: Any, size: tuple[int, int]) -> Any:
        """Boxes end where the image does."""
        return replace(logits, size=size)

    def build_metrics(self, classes: Sequence[str], ignore_index: int) -> "Metric":
        """``map50`` (macro average precision at IoU 0.5), ``ap/<class>``."""
        return named("eosfm.heads.metrics.BoxScores")(classes)

    def predict(self, logits: Any) -> "list[dict[str, Tensor]]":
        """The objects found in each image, best first."""
        return logits.objects()

    def constant_logits(self, statistics: TargetStatistics, target: Sequence[Any]) -> Any:
        """The mean box of each class, scored by the share of objects of that class."""
        import torch

        boxes = torch.tensor(statistics.boxes)
        lower_right = boxes[:, 2:].amax(dim=0).ceil().int().tolist()
        size = (lower_right[1], lower_right[0])  # nothing is cut
        scores = named("eosfm.heads.constant.frequencies")(statistics)
        return named("eosfm.heads.fcos.constant_cells")(boxes, scores, size, len(target))

    def draw(self, examples: Examples) -> "Figure":
        """Images with the boxes of labels and finds, counted by class below."""
        return named("eosfm.heads.pictures.boxed_images")(examples)
