"""Detection without anchor boxes: torchvision's FCOS (Tian et al., 2019, arXiv 1904.01355).

Every cell of every map answers for the object whose middle it lies near. Assignment, losses and
suppression of duplicates are torchvision's; here are the pyramid and the sizes that fit it.
Targets are per image ``boxes`` (n, 4) of x_min, y_min, x_max, y_max in pixels and ``labels`` (n,).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import BoxLinearCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import (
    FCOS,
    FCOSClassificationHead,
    FCOSHead,
    FCOSRegressionHead,
)
from torchvision.ops import FeaturePyramidNetwork

from eosfm.heads.decoders import group_norm
from eosfm.nn.pyramid import STRIDES

Objects = dict[str, Tensor]

CONVOLUTIONS = 2
"""Layers of each branch: half the published number, as the maps come from a small encoder."""

REACH = 0.5
"""A cell's side in strides: a map is for objects that reach 4 to 8 such sides from the cell.

Half the published number, so that the coarsest of these maps, finer than the published, has its
share of objects and all levels of the encoder are trained.
"""

RADIUS = 1.5
"""Cells answer for objects whose middle is less than so many strides away, in x and in y."""

START = 2.0
"""Strides from a cell to the sides of an untrained box; from 0 it would grow slowly."""

MIN_SCORE = 0.02
CANDIDATES = 1000
MAX_OVERLAP = 0.6
MAX_DETECTIONS = 500


@dataclass(frozen=True)
class Cells:
    """Raw outputs of a detector for a batch, cell by cell.

    Attributes:
        detector: Computes losses and objects from them.
        outputs: ``cls_logits`` (B, N, K), ``bbox_regression`` (B, N, 4), distances to the sides
            in cells, and ``bbox_ctrness`` (B, N, 1), over the N cells of all maps.
        anchors: (n, 4) squares of each map's cells, in pixels.
        size: Height and width of the images.
    """

    detector: "Detector"
    outputs: dict[str, Tensor]
    anchors: list[Tensor]
    size: tuple[int, int]

    def loss(self, target: Sequence[Objects]) -> Tensor:
        """Focal loss of the classes, GIoU loss of the boxes and cross-entropy of the centres.

        Each is summed over the batch and divided by the number of cells that have an object.
        """
        anchors = [torch.cat(self.anchors)] * len(target)
        counts = [len(level) for level in self.anchors]
        losses = self.detector.compute_loss(list(target), self.outputs, anchors, counts)
        return torch.stack(list(losses.values())).sum()

    def objects(self) -> list[Objects]:
        """The objects found, best first: per image ``boxes``, ``labels`` and ``scores``.

        The score is the geometric mean of the probabilities of class and centre. Of boxes of one
        class that overlap by more than :data:`MAX_OVERLAP` the best is kept.
        """
        counts = [len(level) for level in self.anchors]
        levels = {key: list(value.split(counts, dim=1)) for key, value in self.outputs.items()}
        batch = len(self.outputs["cls_logits"])
        return self.detector.postprocess_detections(
            levels, [self.anchors] * batch, [self.size] * batch
        )


class Branches(FCOSHead):
    """torchvision's two branches, shared by all levels, with norms that fit narrow maps."""

    def __init__(self, width: int, classes: int) -> None:
        nn.Module.__init__(self)  # torchvision's own insists on 32 groups
        self.box_coder = BoxLinearCoder(normalize_by_size=True)
        self.classification_head = FCOSClassificationHead(
            width, 1, classes, CONVOLUTIONS, norm_layer=group_norm
        )
        self.regression_head = FCOSRegressionHead(width, 1, CONVOLUTIONS, norm_layer=group_norm)
        nn.init.constant_(self.regression_head.bbox_reg.bias, START)

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        """As torchvision's, but boxes are learnt in strides and returned in cells."""
        outputs = super().forward(x)
        return {**outputs, "bbox_regression": outputs["bbox_regression"] / REACH}


class Detector(FCOS):
    """A feature pyramid network and FCOS on it, as a head: called as ``detector(maps, size)``."""

    def __init__(self, channels: Sequence[int], classes: int, width: int) -> None:
        pyramid = FeaturePyramidNetwork(list(channels), width)
        pyramid.out_channels = width
        super().__init__(
            pyramid,
            classes,
            anchor_generator=AnchorGenerator(
                tuple((REACH * stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES)
            ),
            head=Branches(width, classes),
            center_sampling_radius=RADIUS / REACH,
            score_thresh=MIN_SCORE,
            nms_thresh=MAX_OVERLAP,
            detections_per_img=MAX_DETECTIONS,
            topk_candidates=CANDIDATES,
        )

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Cells:  # type: ignore[override]
        """Look at four maps of images of a size (height, width)."""
        named = OrderedDict((str(level), feature) for level, feature in enumerate(maps))
        levels = list(self.backbone(named).values())
        outputs = {key: value.float() for key, value in self.head(levels).items()}
        return Cells(self, outputs, self._cells(levels), size)

    def _cells(self, levels: Sequence[Tensor]) -> list[Tensor]:
        self.anchor_generator.set_cell_anchors(torch.float32, levels[0].device)
        # By stride, not by size: where that is no multiple, the last cells reach past the image.
        shapes = [level.shape[-2:] for level in levels]
        corners = self.anchor_generator.grid_anchors(shapes, [[s, s] for s in STRIDES])
        # torchvision puts a cell's square around its corner; the middle is what the cell sees.
        return [squares + stride / 2 for squares, stride in zip(corners, STRIDES, strict=True)]


def constant_cells(boxes: Tensor, logits: Tensor, size: tuple[int, int], batch: int) -> Cells:
    """The same boxes for every image, each with one class.

    Args:
        boxes: (K, 4), one per class, in pixels.
        logits: (K,) of the classes.
        size: Height and width of the images.
        batch: Number of images.
    """
    count = len(boxes)
    with torch.device("meta"):  # only decodes: needs no weights
        detector = Detector([1] * len(STRIDES), count, 1)
    outputs = {
        "cls_logits": torch.full((count, count), -torch.inf).diagonal_scatter(logits),
        "bbox_regression": torch.full((count, 4), 0.5),  # a square's sides from its middle
        "bbox_ctrness": torch.full((count, 1), torch.inf),
    }
    outputs = {key: value.expand(batch, -1, -1) for key, value in outputs.items()}
    return Cells(detector, outputs, [boxes], size)
