"""Task kinds: one object each, which knows all that differs between kinds."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.kinds.change import Change
from eosfm.kinds.classification import Classification
from eosfm.kinds.detection import Detection
from eosfm.kinds.kind import Examples, Kind, TargetStatistics
from eosfm.kinds.multilabel import Multilabel
from eosfm.kinds.regression import Regression
from eosfm.kinds.scores import better, gather_classes, score01
from eosfm.kinds.segmentation import Segmentation

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torchmetrics import Metric

__all__ = [
    "KINDS",
    "Examples",
    "Kind",
    "TargetStatistics",
    "better",
    "gather_classes",
    "get_kind",
    "score01",
]

KINDS: dict[str, Kind] = {
    "classification": Classification(),
    "multilabel": Multilabel(),
    "segmentation": Segmentation(),
    "change": Change(),
    "regression": Regression(),
    "detection": Detection(),
}


def get_kind(name: str) -> Kind:
    """The kind of a name.

    Raises:
        EosfmError: There is none.
    """
    if name not in KINDS:
        raise EosfmError(f"unknown task kind {name!r}; {suggest(name, list(KINDS))}")
    return KINDS[name]


# What follows serves evaluation and features until they ask the objects, and goes then.

PIXEL_KINDS = tuple(name for name, kind in KINDS.items() if kind.answer == "pixel")
IMAGE_KINDS = tuple(name for name, kind in KINDS.items() if kind.answer == "image")
LOSSES = {name: kind.losses for name, kind in KINDS.items()}
HEADLINE = {name: kind.headline for name, kind in KINDS.items()}


def build_metrics(kind: str, classes: Sequence[str], ignore_index: int) -> "Metric":
    """See :meth:`Kind.build_metrics`."""
    return get_kind(kind).build_metrics(classes, ignore_index)


def build_head(
    kind: str, head: str, channels: Sequence[int], classes: int, width: int
) -> "nn.Module":
    """See :meth:`Kind.build_head`; that of regression in no unit."""
    from eosfm.nn.decoders import PhysicalUnits

    built = get_kind(kind)
    head = head if head in built.heads else built.heads[0]
    module = built.build_head(head, channels, classes, width, TargetStatistics((), 1))
    return module.head if isinstance(module, PhysicalUnits) else module


def build_loss(
    kind: str, loss: str, ignore_index: int, class_weights: Sequence[float] | None = None
) -> "nn.Module":
    """See :meth:`Kind.build_loss`."""
    return get_kind(kind).build_loss(loss, ignore_index, class_weights)


def target_statistics(
    kind: str, targets: Iterable[np.ndarray], classes: int, ignore_index: int
) -> TargetStatistics:
    """See :meth:`Kind.target_statistics`."""
    return get_kind(kind).target_statistics(targets, classes, ignore_index)


def balanced_weights(kind: str, counts: tuple[int, ...], labelled: int) -> tuple[float, ...]:
    """See :meth:`Kind.class_weights`."""
    return get_kind(kind).class_weights(TargetStatistics(counts, labelled))


def trivial_logits(kind: str, statistics: TargetStatistics, target: Any) -> Any:
    """See :meth:`Kind.constant_logits`."""
    return get_kind(kind).constant_logits(statistics, target)


def predict(kind: str, logits: "Tensor") -> Any:
    """See :meth:`Kind.predict`."""
    return get_kind(kind).predict(logits)


def __getattr__(name: str) -> Any:
    """``PhysicalUnits`` without torch for those who do not ask for it."""
    if name == "PhysicalUnits":
        from eosfm.nn.decoders import PhysicalUnits

        return PhysicalUnits
    raise AttributeError(name)
