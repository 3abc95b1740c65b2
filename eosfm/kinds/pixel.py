"""Kinds with one answer per pixel."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from eosfm.core.named import named
from eosfm.kinds.examples import EXAMPLES, spread
from eosfm.kinds.kind import HeadSpec, Kind

if TYPE_CHECKING:
    from torch import Tensor, nn

CANDIDATES = 64
"""Tiles, evenly spread, of which those with the most varied labels are drawn."""


MOST_CLASSES = 255
"""Most classes that an 8-bit map can hold beside one value for unknown."""

LEAST = 1e-12
"""Probabilities below this are taken for it, so that their logarithm is finite."""


class PixelKind(Kind):
    """What segmentation, change and regression share."""

    answer = "pixel"
    heads = ("upernet", "linear")
    specialist_heads = ("upernet_batch",)
    target_key = "mask"

    def misdescribed(self, classes: int, ignore_index: int | None) -> str | None:
        """See :meth:`Kind.misdescribed`."""
        if classes > MOST_CLASSES:
            return f"{classes} classes; expected at most {MOST_CLASSES}; join some"
        return None

    def fault(
        self, target: np.ndarray, size: tuple[int, ...], classes: int, ignore_index: int | None
    ) -> str | None:
        """See :meth:`Kind.fault`."""
        if target.shape != tuple(size):
            return (
                f"target of shape {target.shape} for an image of {tuple(size)}; expected one value "
                "per pixel"
            )
        return self.wrong_value(target, classes, ignore_index)

    def wrong_value(self, target: np.ndarray, classes: int, ignore_index: int | None) -> str | None:
        """What is wrong with the values of a target; None where nothing is."""
        return super().fault(target, target.shape, classes, ignore_index)

    def head(self, spec: HeadSpec) -> "nn.Module":
        """See :meth:`Kind.head`."""
        if spec.name == "linear":
            return named("eosfm.heads.decoders.LinearPixelHead")(spec.channels, spec.classes)
        upernet = named("eosfm.heads.decoders.UPerNetHead")
        if spec.name == "upernet_batch":
            upernet = named("eosfm.heads.upernet.UPerNetBatchHead")
        return upernet(spec.channels, spec.classes, spec.width, spec.dropout)

    def trim(self, logits: "Tensor", size: tuple[int, int]) -> "Tensor":
        """(B, K, H, W) logits of an image's own pixels."""
        return logits[..., : size[0], : size[1]]

    def mix(self, logits: "Tensor", others: "Tensor", share: float) -> "Tensor":
        """The answer of two models together: logits (B, K, H, W) of their mean probabilities.

        Args:
            logits: Of one model.
            others: Of the other.
            share: Weight of the other, 0 to 1.
        """
        own, other = logits.softmax(1), others.softmax(1)
        return (own + share * (other - own)).clamp_min(LEAST).log()

    def unknown(self, missing: np.ndarray) -> np.ndarray:
        """Which pixels have no target: (T, h, w) not measured to (h, w)."""
        return np.asarray(missing.any(axis=0) if self.bitemporal else missing.all(axis=0))

    def examples(
        self, count: int, target: Callable[[int], np.ndarray], ignore_index: int
    ) -> list[int]:
        """The tiles whose labels vary most, of some that are evenly spread."""
        candidates = spread(count, CANDIDATES)
        varied = sorted(
            candidates, key=lambda i: self.variety(target(i), ignore_index), reverse=True
        )
        return sorted(varied[:EXAMPLES])

    def variety(self, target: np.ndarray, ignore_index: int) -> float:
        """How much a stored target varies: the entropy of its classes in nats."""
        known = target[target != ignore_index]
        share = np.bincount(known.astype(np.int64), minlength=1) / max(known.size, 1)
        return float(-(share[share > 0] * np.log(share[share > 0])).sum())
