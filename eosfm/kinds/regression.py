"""Regression: one value per pixel, in a physical unit."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eosfm.core.named import named
from eosfm.kinds.evidence import ROUNDING, Errors
from eosfm.kinds.examples import Examples
from eosfm.kinds.kind import HeadSpec
from eosfm.kinds.pixel import PixelKind
from eosfm.kinds.targets import TargetStatistics, require_labelled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

BINS = 5
"""Quantile bins of the tiles' means: the strata."""


class Regression(PixelKind):
    """Targets are (B, H, W) floats with NaN where unlabelled, logits (B, 1, H, W)."""

    name = "regression"
    losses = ("mse",)
    metrics = ("r2", "rmse", "mae")
    headline = "r2"
    evidence = Errors()
    unweighted = "regression has no classes"

    def target_layout(
        self, classes: int, size: tuple[int, ...], ignore_index: int
    ) -> tuple[np.dtype, tuple[int, ...]]:
        """A float per pixel."""
        return np.dtype(np.float32), size

    def misdescribed(self, classes: int, ignore_index: int | None) -> str | None:
        """See :meth:`Kind.misdescribed`."""
        if ignore_index is None:
            return None
        return (
            f"ignore_index is {ignore_index} for regression; expected none, since a value is "
            "unlabelled where it is NaN; let the reader give NaN"
        )

    def blank(self, ignore_index: int) -> float:
        """NaN."""
        return np.nan

    def wrong_value(self, target: np.ndarray, classes: int, ignore_index: int | None) -> str | None:
        """Any finite value is valid; NaN means unlabelled."""
        if np.isinf(target).any():
            return "an infinite value; expected numbers, and NaN where nothing is labelled"
        return None

    def target_statistics(
        self, targets: Iterable[np.ndarray], classes: int, ignore_index: int
    ) -> TargetStatistics:
        """See :meth:`Kind.target_statistics`."""
        count, total, squared = 0, 0.0, 0.0
        for target in targets:
            known = target[~np.isnan(target)].astype(np.float64)
            count, total = count + known.size, total + known.sum()
            squared += np.square(known).sum()
        mean = float(total / require_labelled(count))
        variance = max(float(squared / count) - mean**2, 0.0)
        varies = variance > ROUNDING * mean**2
        return TargetStatistics((), count, mean, variance**0.5 if varies else 1.0)

    def strata(self, targets: Sequence[np.ndarray], classes: int, ignore_index: int) -> np.ndarray:
        """The quantile bin of the tile's mean."""
        means = _means(targets)
        edges = np.quantile(means, np.linspace(0, 1, BINS + 1)[1:-1])
        return np.searchsorted(edges, means)

    def thirds(self, targets: Sequence[np.ndarray], classes: int, ignore_index: int) -> np.ndarray:
        """The third of the range of the tiles' means that the tile's lies in."""
        means = _means(targets)
        return np.searchsorted(np.linspace(means.min(), means.max(), 4)[1:-1], means, side="right")

    def head(self, spec: HeadSpec) -> "nn.Module":
        """A head that answers in the target's unit."""
        inner = super().head(spec._replace(classes=1))
        if spec.name == "upernet_batch":
            return inner  # as published, it finds the unit by itself
        seen = spec.statistics
        return named("eosfm.heads.decoders.PhysicalUnits")(inner, seen.mean, seen.std)

    def mix(self, logits: "Tensor", others: "Tensor", share: float) -> "Tensor":
        """The weighted mean of both values."""
        return logits + share * (others - logits)

    def predict(self, logits: "Tensor") -> "Tensor":
        """(B, H, W) values."""
        return logits.squeeze(1)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """(B, 1, H, W) values."""
        return logits

    def constant_logits(self, statistics: TargetStatistics, target: "Tensor") -> "Tensor":
        """(B, 1, H, W): the mean."""
        import torch

        return torch.full_like(target, statistics.mean).unsqueeze(1)

    def variety(self, target: np.ndarray, ignore_index: int) -> float:
        """Standard deviation of a stored target."""
        known = target[~np.isnan(target)]
        return float(known.std()) if known.size else 0.0

    def draw(self, examples: Examples) -> "Figure":
        """Images, maps of the target and maps of the prediction on one scale of colours."""
        return named("eosfm.heads.pictures.value_maps")(examples)


def _means(targets: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each tile; 0 where nothing is labelled."""
    return np.array([np.nanmean(t) if np.isfinite(t).any() else 0.0 for t in targets])
