"""Cost of one forward pass: multiply-accumulates and operator calls, counted without computing.

Modules are built as the stages build them, and run on torch's ``meta`` device, where tensors have
shapes and no values. Normalisations and activations count no multiply-accumulates; measured speeds
include them (see :mod:`eosfm.planning.hardware`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from eosfm.encoding.input import InputSpec
from eosfm.evaluation.feature_fusion import build_fusing, needs_maps
from eosfm.evaluation.probe import build_fuser
from eosfm.evaluation.trial import Trial
from eosfm.features.task import Task
from eosfm.heads.temporal import LTAEMerge, build_merge
from eosfm.kinds.kind import Kind
from eosfm.kinds.targets import TargetStatistics
from eosfm.nn.backbone import build_backbone
from eosfm.nn.pyramid import STRIDES
from eosfm.params import Fusion
from eosfm.planning.hardware import REFERENCE, REFERENCE_SIZE

aten = torch.ops.aten
NORMALISATIONS = (
    aten.native_batch_norm.default, aten.native_layer_norm.default, aten.native_group_norm.default,
)  # fmt: skip
POINTWISE = (
    aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor, aten.addcmul.default,
    aten.clamp_min.default, aten.sqrt.default, aten.relu.default, aten.gelu.default,
)  # fmt: skip

COMPUTED = 3
"""Cost of a training step in forward passes: backward costs twice as much as forward."""


@dataclass(frozen=True)
class Cost:
    """Of one forward pass.

    Attributes:
        macs: Multiply-accumulates of one item; a batch has as many times more.
        operations: Calls of operators; a batch has no more.
    """

    macs: int
    operations: int


def padded(length: int) -> int:
    """A side of an image as an encoder sees it."""
    return length + -length % STRIDES[-1]


@lru_cache(maxsize=512)
def encoder_cost(backbone: str, channels: int, height: int, width: int) -> Cost:
    """One image through one encoder, forward."""
    model = _encoder(backbone, channels)
    image = _empty(1, channels, padded(height), padded(width))
    return _count(lambda: model(image))


def reference_macs() -> int:
    """Multiply-accumulates of one reference image through the reference encoder."""
    return encoder_cost(REFERENCE, 3, REFERENCE_SIZE, REFERENCE_SIZE).macs


@lru_cache(maxsize=64)
def encoder_channels(backbone: str) -> tuple[int, ...]:
    """Channels of an encoder's four maps."""
    return tuple(_encoder(backbone, 3).feature_info.channels())


def specialist_head_cost(
    kind: Kind,
    name: str,
    channels: Sequence[int],
    dates: int,
    classes: int,
    width: int,
    size: tuple[int, int],
) -> Cost:
    """The head of a specialist on one tile, forward.

    Args:
        kind: Task kind.
        name: Of the head.
        channels: Of the encoder's maps.
        dates: That the encoder sees one by one.
        classes: Number of classes.
        width: Channels of the decoder.
        size: Height and width of the tile.
    """
    merged = kind.merged(channels, dates)
    with torch.device("meta"):
        head = kind.build_head(name, merged, classes, width, _statistics(classes)).eval()
    whole = (padded(size[0]), padded(size[1]))
    maps = [_empty(1, c, *cells) for c, cells in zip(merged, _cells(whole), strict=True)]
    return _count(lambda: head(maps, whole))


def probe_cost(task: Task, fusion: Fusion, inputs: Sequence[InputSpec]) -> tuple[Cost, int]:
    """Fusion, merging of dates and head on one item of a task, forward.

    Returns:
        Their cost, and the bytes of the item once it is prepared (see
        :class:`eosfm.evaluation.feature_fusion.LinearFusing`).
    """
    whole = fusion.model_copy(update={"max_encoders": None})  # its gates compute nothing to count
    per_image = task.kind.answer == "image"
    fuser = build_fuser(whole, inputs)
    fusing = build_fusing(fuser, per_image, task.aggregation).to("meta")
    widths = [sum(spec.channels[k] for spec in inputs) for k in range(len(STRIDES))]
    maps = _series(task, widths)
    given = maps if needs_maps(fusion, task) else [level[..., :1, :1] for level in maps]
    with _Counter():  # which has shortcuts
        prepared = fusing.prepare([level.half() for level in given])
    size = sum(level.numel() * level.element_size() for level in prepared)
    merge, head = _merge_and_head(task, fuser.out_channels)
    fused = [level.float() for level in prepared]
    return _count(lambda: head(merge(fusing(fused)), task.windows.size)), size


def scratch_head_cost(task: Task, channels: Sequence[int]) -> Cost:
    """Merging of dates and head on the maps of one backbone, forward."""
    merge, head = _merge_and_head(task, channels)
    series = _series(task, channels)
    return _count(lambda: head(merge(series), task.windows.size))


def _series(task: Task, channels: Sequence[int]) -> list[Tensor]:
    """The maps of one item's dates."""
    cells = _cells(task.windows.size)
    return [_empty(1, len(task.dates), c, *hw) for c, hw in zip(channels, cells, strict=True)]


def _merge_and_head(task: Task, channels: Sequence[int]) -> tuple[Callable[[Any], Any], nn.Module]:
    """Merging of dates and head; attention skips the days, which have no values on ``meta``."""
    merge: Any = build_merge(task.aggregation, channels, len(task.dates)).to("meta")
    with torch.device("meta"):
        head = Trial(task, _statistics(len(task.classes)), 0).build_head(merge.out_channels).eval()
    if not isinstance(merge, LTAEMerge):
        days = torch.zeros(1, len(task.dates))  # with values: whether one is missing is looked at
        return lambda series: merge(series, days), head
    days = _empty(1, len(task.dates))
    return lambda series: [m(x, days) for m, x in zip(merge.levels, series, strict=True)], head


@lru_cache(maxsize=64)
def _encoder(backbone: str, channels: int) -> Any:
    with torch.device("meta"):
        return build_backbone(backbone, channels).eval()


def _statistics(classes: int) -> TargetStatistics:
    """Of targets that nobody has read; no size depends on them."""
    return TargetStatistics((1,) * classes, classes)


def _cells(size: tuple[int, int]) -> list[tuple[int, int]]:
    return [(-(-size[0] // stride), -(-size[1] // stride)) for stride in STRIDES]


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def _count(forward: Callable[[], Any]) -> Cost:
    with torch.no_grad(), _Counter() as counter:
        forward()
    return Cost(counter.operations // 2, counter.calls)


class _Counter(TorchDispatchMode):
    """Counts the operators that torch calls, and multiplications and additions by torch's formulas.

    torch's own counter takes apart every operator that it has no formula for, which lasts several
    times as long.
    """

    operations = calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [one for one in args if isinstance(one, Tensor)]
        if func is aten.upsample_bilinear2d.default:
            # Of a tensor without values torch computes the interpolation in twenty steps of Python.
            out = args[0].new_empty(*args[0].shape[:2], *args[1])
        elif func in POINTWISE and all(x.is_meta and x.dtype == given[0].dtype for x in given):
            out = given[0].new_empty(torch.broadcast_shapes(*(x.shape for x in given)))  # likewise
        elif func in NORMALISATIONS:  # in forty; their statistics are for the way back alone
            out = (args[0].new_empty(args[0].shape), None, None)
        else:
            out = func(*args, **(kwargs or {}))
        self.calls += 1
        if formula := flop_registry.get(func.overloadpacket):
            self.operations += formula(*args, **(kwargs or {}), out_val=out)
        return out
