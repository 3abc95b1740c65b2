"""Kinds with one answer per image."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eosfm.core.named import named
from eosfm.kinds.examples import Examples
from eosfm.kinds.kind import HeadSpec, Kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn


class ImageKind(Kind):
    """What classification and multilabel share.

    The heads ``ridge`` and ``knn`` are not trained by steps; where something must be, as the
    backbone that starts from scratch, the linear one is.
    """

    answer = "image"
    heads = ("linear", "ridge", "knn")
    specialist_heads = ("last_map",)
    target_key = "label"

    def head(self, spec: HeadSpec) -> "nn.Module":
        """See :meth:`Kind.head`."""
        if spec.name == "ridge":
            return named("eosfm.heads.decoders.PooledLinear")(spec.channels, spec.classes)
        if spec.name == "last_map":
            return named("eosfm.heads.decoders.LastMapHead")(spec.channels, spec.classes)
        return named("eosfm.heads.decoders.PooledHead")(spec.channels, spec.classes)

    def names(self, answer: "Tensor", classes: Sequence[str], ignore_index: int) -> set[str]:
        """Classes that a target or a prediction of one image holds."""
        raise NotImplementedError

    def draw(self, examples: Examples) -> "Figure":
        """Images with their labels below: found, missed, or wrongly given."""
        targets, predictions = (
            [self.names(answer, examples.classes, examples.ignore_index) for answer in answers]
            for answers in (examples.targets, examples.predictions)
        )
        pairs = list(zip(targets, predictions, strict=True))
        return named("eosfm.heads.pictures.labelled_images")(examples, pairs)
