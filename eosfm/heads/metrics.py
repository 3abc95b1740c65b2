"""Metrics that accumulate the scores of a split batch by batch, for all kinds."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.loading import lean
from eosfm.heads.fcos import MAX_DETECTIONS, Cells, Objects
from eosfm.kinds.evidence import Evidence

with lean():
    from torchmetrics import Metric
    from torchmetrics.detection import MeanAveragePrecision


class TileScores(Metric):
    """The scores of a split as they follow from its tiles, see :mod:`eosfm.kinds.evidence`.

    Args:
        evidence: Of the kind.
        classes: Class names.
        ignore_index: Target value that does not count.
    """

    full_state_update = False

    def __init__(self, evidence: Evidence, classes: Sequence[str], ignore_index: int) -> None:
        super().__init__()
        self.evidence = evidence
        self.classes = tuple(classes)
        self.ignore_index = ignore_index
        self.add_state("tiles", [], dist_reduce_fx="cat")
        self.tiles: list[Tensor]

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Add a batch's logits and targets, in the kind's layout."""
        tiles = self.evidence.by_tile(logits.detach(), target, self.ignore_index)
        if self.evidence.adds:  # one sum, however many batches
            whole = tiles.sum(0, keepdim=True)
            self.tiles = [self.tiles[0] + whole] if self.tiles else [whole]
        else:
            self.tiles.append(tiles)

    def compute(self) -> dict[str, float]:
        """All scores, and those of each class that occurs."""
        tiles = torch.cat([part.cpu() for part in self.tiles]).numpy()
        return self.evidence.whole(tiles, self.classes, self.ignore_index)


class BoxScores(MeanAveragePrecision):
    """``map50``: average precision at IoU 0.5 as COCO computes it, mean over the classes.

    Precision is interpolated at 101 recalls. Classes that occur in no target do not count;
    ``ap/<class>`` is that of one class.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__(
            iou_thresholds=[0.5],
            # In float64, as COCO has them: torchmetrics' own are float32, and miss 3 of 5.
            rec_thresholds=np.linspace(0, 1, 101).tolist(),
            max_detection_thresholds=[1, 100, MAX_DETECTIONS],
            extended_summary=True,
        )
        self.names = tuple(classes)

    def update(self, logits: Cells, target: Sequence[Objects]) -> None:  # type: ignore[override]
        """Add the detections and the labelled objects of a batch."""
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
