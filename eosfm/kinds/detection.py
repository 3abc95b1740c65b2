"""Detection without anchor boxes: FCOS (Tian et al., 2019, arXiv 1904.01355) on four feature maps.

Every cell of every map answers for the object whose middle it lies near. What the head gives is
one tensor (B, N, 8 + K) over the N cells of all maps, whose columns are

* :data:`BOX`: the predicted x_min, y_min, x_max, y_max in pixels;
* :data:`CELL`: x and y of the cell's middle, and its stride, in pixels;
* :data:`CENTRE`: logit of how central the cell lies in the object;
* :data:`CLASS`: K logits, one sigmoid per class.

Targets are (n, 5) tensors per image, x_min, y_min, x_max, y_max, class; n may be 0.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.detection import MeanAveragePrecision
from torchvision.models.detection.fcos import FCOSClassificationHead, FCOSRegressionHead
from torchvision.ops import (
    FeaturePyramidNetwork,
    batched_nms,
    generalized_box_iou_loss,
    sigmoid_focal_loss,
)

from eosfm.core.errors import EosfmError

BOX, CELL, CENTRE, CLASS = slice(0, 4), slice(4, 7), 7, slice(8, None)

CONVOLUTIONS = 2
"""Layers of each branch: half the published number, as the maps come from a small encoder."""

RADIUS = 1.5
"""Cells answer for objects whose middle is less than so many strides away, in x and in y."""

REACH = 2.0
"""A map is for objects that reach this to twice this many strides from the cell.

Half the published number, so that the coarsest of these maps, finer than the published, has its
share of objects and all levels of the encoder are trained.
"""

START = 2.0
"""An untrained box reaches so many strides to each side; from nothing it would grow slowly."""

MIN_SCORE = 0.02
CANDIDATES = 1000
MAX_OVERLAP = 0.6
MAX_DETECTIONS = 500


class FCOSHead(nn.Module):
    """A feature pyramid network, then torchvision's FCOS branches, shared by all levels."""

    def __init__(self, channels: Sequence[int], classes: int, decoder_channels: int) -> None:
        super().__init__()
        width = decoder_channels
        self.pyramid = FeaturePyramidNetwork(list(channels), width)
        norm = partial(nn.GroupNorm, max(width // 16, 1))
        self.classes = FCOSClassificationHead(width, 1, classes, CONVOLUTIONS, norm_layer=norm)
        self.boxes = FCOSRegressionHead(width, 1, CONVOLUTIONS, norm_layer=norm)
        nn.init.constant_(self.boxes.bbox_reg.bias, START)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Map four maps to (B, N, 8 + K), float32; ``size`` is the image's height and width."""
        named = OrderedDict((str(level), feature) for level, feature in enumerate(maps))
        levels = list(self.pyramid(named).values())
        logits = self.classes(levels)
        reach, centre = self.boxes(levels)  # left, top, right, bottom in strides, at least 0
        cells = torch.cat([_cells(level, size) for level in levels])
        middle, stride = cells[:, :2], cells[:, 2:]
        reach = reach.float() * stride
        boxes = torch.cat([middle - reach[..., :2], middle + reach[..., 2:]], dim=-1)
        return join(boxes, cells, centre.float(), logits.float())


def join(boxes: Tensor, cells: Tensor, centre: Tensor, logits: Tensor) -> Tensor:
    """One tensor (B, N, 8 + K) of (B, N, 4), (N, 3), (B, N, 1) and (B, N, K)."""
    return torch.cat([boxes, cells.expand(len(boxes), -1, -1), centre, logits], dim=-1)


class FCOSLoss(nn.Module):
    """Focal loss of the classes, GIoU loss of the boxes and cross-entropy of the centres.

    Each is summed over the batch and divided by the number of cells that answer for an object.

    Args:
        weights: One per class, for the focal loss.
    """

    def __init__(self, weights: Tensor | None = None) -> None:
        super().__init__()
        self.weights: Tensor | None
        self.register_buffer("weights", weights)

    def forward(self, logits: Tensor, target: Sequence[Tensor]) -> Tensor:
        """Compute the loss of (B, N, 8 + K) against a list of B (n, 5) targets."""
        truth = torch.stack([assign(logits[0, :, CELL], boxes) for boxes in target])
        answers = truth[..., 4] >= 0
        scores = logits[..., CLASS]
        labels = F.one_hot(truth[..., 4].long() + 1, scores.shape[-1] + 1)[..., 1:]
        focal = sigmoid_focal_loss(scores, labels.to(scores.dtype))
        if self.weights is not None:
            focal = focal * self.weights
        found, boxes = logits[answers], truth[answers][:, :4]
        overlap = generalized_box_iou_loss(found[:, BOX], boxes, reduction="sum")
        centre = F.binary_cross_entropy_with_logits(
            found[:, CENTRE], centrality(found[:, CELL], boxes), reduction="sum"
        )
        return (focal.sum() + overlap + centre) / answers.sum().clamp(min=1)


def assign(cells: Tensor, boxes: Tensor) -> Tensor:
    """The object that each cell answers for: the smallest of those it lies in, near their middle.

    Large objects belong to coarse maps: see :data:`REACH`. The finest map also takes what is
    smaller, the coarsest what is larger.

    Args:
        cells: (N, 3) x, y and stride.
        boxes: (n, 5) targets.

    Returns:
        (N, 5), a row of ``boxes`` per cell; its class is -1 where there is no object.
    """
    stride = cells[:, 2:]
    sides = _sides(cells[:, None], boxes)  # (N, n, 4)
    reach = sides.amax(dim=-1)
    lowest = torch.where(stride > stride.min(), REACH * stride, 0)
    highest = torch.where(stride < stride.max(), 2 * REACH * stride, torch.inf)
    middle = (boxes[:, :2] + boxes[:, 2:4]) / 2
    near = ((cells[:, None, :2] - middle).abs() < RADIUS * stride[:, None]).all(dim=-1)
    fits = near & (sides.amin(dim=-1) > 0) & (reach >= lowest) & (reach < highest)
    area = (boxes[:, 2:4] - boxes[:, :2]).prod(dim=-1)
    # The ground, larger than any object, comes last.
    ground = boxes.new_tensor([[0, 0, 0, 0, -1]])
    areas = F.pad(torch.where(fits, area, torch.inf), (0, 1), value=torch.finfo(area.dtype).max)
    return torch.cat([boxes, ground])[areas.argmin(dim=1)]


def centrality(cells: Tensor, boxes: Tensor) -> Tensor:
    """How central (n, 3) cells lie in their (n, 4) boxes: 1 in the middle, 0 on an edge."""
    left, top, right, bottom = _sides(cells, boxes).unbind(dim=-1)
    across = torch.minimum(left, right) / torch.maximum(left, right)
    down = torch.minimum(top, bottom) / torch.maximum(top, bottom)
    return (across * down).sqrt()


def detections(logits: Tensor) -> list[Tensor]:
    """The objects found, best first: per image (n, 6), a target's five columns and the score.

    The score is the geometric mean of the probabilities of class and centre. Of boxes of one
    class that overlap by more than :data:`MAX_OVERLAP` the best is kept.
    """
    return [_detect(image) for image in logits.float()]


def _detect(cells: Tensor) -> Tensor:
    scores = (cells[:, CLASS].sigmoid() * cells[:, CENTRE, None].sigmoid()).sqrt()
    best, order = scores.flatten().topk(min(CANDIDATES, scores.numel()))
    order = order[best > MIN_SCORE]
    cell, label = order // scores.shape[1], order % scores.shape[1]
    boxes, best = cells[cell, BOX], scores[cell, label]
    keep = batched_nms(boxes, best, label, MAX_OVERLAP)[:MAX_DETECTIONS]
    return torch.cat([boxes, label[:, None], best[:, None]], dim=1)[keep]


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

    def update(self, logits: Tensor, target: Sequence[Tensor]) -> None:  # type: ignore[override]
        """Keep what (B, N, 8 + K) logits find, and a list of B (n, 5) targets."""
        found = [
            {"boxes": rows[:, :4], "labels": rows[:, 4].long(), "scores": rows[:, 5]}
            for rows in detections(logits)
        ]
        truth = [{"boxes": rows[:, :4], "labels": rows[:, 4].long()} for rows in target]
        super().update(found, truth)

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


def _cells(level: Tensor, size: tuple[int, int]) -> Tensor:
    """(h * w, 3) x, y and stride of a map's cells, row by row."""
    height, width = level.shape[-2:]
    stride = size[0] / height
    y = (torch.arange(height, device=level.device, dtype=torch.float32) + 0.5) * stride
    x = (torch.arange(width, device=level.device, dtype=torch.float32) + 0.5) * size[1] / width
    rows, cols = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([cols, rows, torch.full_like(cols, stride)], dim=-1).flatten(0, 1)


def _sides(cells: Tensor, boxes: Tensor) -> Tensor:
    """(..., 4) distances from the cells to the left, top, right and bottom of the boxes."""
    middle = cells[..., :2]
    return torch.cat([middle - boxes[..., :2], boxes[..., 2:4] - middle], dim=-1)
