"""Metrics: what each number averages over, and what it leaves out.

Scores are computed from records per tile: counts or sums or, where a score is no function of sums
(average precision), predictions and labels. So they do not depend on batches, and can be recomputed
for any weights of the tiles, such as how often a bootstrap draws each.

``miou`` averages over all classes, the same for every model: one that does not occur in the split
counts as 0, as in PANGAEA (arXiv 2412.04204). The other means are over the classes that occur, as
target or (but for ``map``) as prediction. A class that does not occur has no score of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from eosfm.core.errors import EosfmError

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 2**24
"""Weights of tiles that are looked at together, which bounds the memory."""

ROUNDING = 1e-12
"""Variation below this share of the squares that it is a difference of counts as none."""


class Evidence(ABC):
    """How a kind's scores follow from its tiles.

    Attributes:
        adds: Whether the scores of all tiles follow from the sum over tiles.
    """

    adds: ClassVar[bool] = True

    @abstractmethod
    def by_tile(self, logits: "Tensor", target: "Tensor", ignore_index: int) -> "Tensor":
        """What each tile of a batch contributes: (B, ...), B first."""

    @abstractmethod
    def labelled(self, tiles: np.ndarray, ignore_index: int) -> bool:
        """Whether any target counts."""

    @abstractmethod
    def scores(
        self, tiles: np.ndarray, weights: np.ndarray, ignore_index: int
    ) -> dict[str, np.ndarray]:
        """The metrics of the kind, by name, for each of R weightings: (R,).

        Args:
            tiles: (N, ...), what :meth:`by_tile` gave.
            weights: (R, N), how often each tile counts.
            ignore_index: Target that does not count.
        """

    @abstractmethod
    def constants(self, tiles: np.ndarray) -> list[np.ndarray]:
        """What answers that ignore the image would have given, one of them the best for a metric.

        Args:
            tiles: Of any model: what is used of them is the targets alone.

        Returns:
            For each answer, (M, ...), as by :meth:`by_tile`.
        """

    def by_class(self, tiles: np.ndarray, ignore_index: int) -> tuple[str, np.ndarray]:
        """A metric, and its value for each class, NaN where it does not occur; none by default."""
        return "", np.empty(0)

    def confusion(self, tiles: np.ndarray) -> np.ndarray | None:
        """(K, K) targets of each class (rows) by answers; None where classes are not exclusive."""
        return None

    def whole(
        self, tiles: np.ndarray, classes: Sequence[str], ignore_index: int
    ) -> dict[str, float]:
        """The metrics over all tiles, and ``<metric>/<class>`` of each class that occurs.

        Raises:
            EosfmError: No target counts.
        """
        if not self.labelled(tiles, ignore_index):
            raise EosfmError(
                "no labelled target in what was scored; expected at least one; "
                "check the split and the dataset's ignore index"
            )
        scores = self.scores(tiles, np.ones((1, len(tiles))), ignore_index)
        metric, single = self.by_class(tiles, ignore_index)
        found = {
            f"{metric}/{name}": float(value)
            for name, value in zip(classes, single, strict=False)
            if not np.isnan(value)
        }
        return {name: float(value) for name, (value,) in scores.items()} | found


@dataclass(frozen=True)
class Counts(Evidence):
    """Classes that exclude each other: a (K, K) confusion matrix of each tile.

    Attributes:
        pixels: Whether pixels are scored rather than images.
        first: The first class whose F1 counts.
    """

    pixels: bool
    first: int = 0

    def by_tile(self, logits: "Tensor", target: "Tensor", ignore_index: int) -> "Tensor":
        """(B, K, K) int32: rows are targets."""
        import torch

        tiles, size = logits.shape[:2]
        truth = target.reshape(tiles, -1).long()
        guess = logits.argmax(dim=1).reshape(tiles, -1)
        row = torch.arange(tiles, device=truth.device)[:, None]
        cell = (row * size + truth) * size + guess
        counts = torch.bincount(cell[truth != ignore_index], minlength=tiles * size * size)
        return counts.view(tiles, size, size).int()

    def labelled(self, tiles: np.ndarray, ignore_index: int) -> bool:
        """See :meth:`Evidence.labelled`."""
        return bool(tiles.any())

    def scores(
        self, tiles: np.ndarray, weights: np.ndarray, ignore_index: int
    ) -> dict[str, np.ndarray]:
        """``accuracy`` (share of images or pixels), ``f1`` (macro), of pixels ``miou``."""
        hits, truth, guesses = _margins(_sums(tiles, weights))
        classes = np.delete(np.arange(hits.shape[1]), self._ignored(hits.shape[1], ignore_index))
        f1 = _ratio(2 * hits, truth + guesses)[:, classes[classes >= self.first]]
        found = {"accuracy": _ratio(hits.sum(1), truth.sum(1)), "f1": _mean(f1)}
        if self.pixels:
            iou = np.nan_to_num(_ratio(hits, truth + guesses - hits))
            found["miou"] = iou[:, classes].mean(1)
        return found

    def constants(self, tiles: np.ndarray) -> list[np.ndarray]:
        """One class everywhere, for each class."""
        truth = tiles.sum((0, 2), dtype=np.int64)
        return [truth[None, :, None] * one for one in np.eye(len(truth), dtype=np.int64)]

    def by_class(self, tiles: np.ndarray, ignore_index: int) -> tuple[str, np.ndarray]:
        """``iou`` of pixels, ``f1`` of images."""
        hits, truth, guesses = _margins(_sums(tiles, np.ones((1, len(tiles)))))
        if self.pixels:
            name, values = "iou", _ratio(hits, truth + guesses - hits)[0]
        else:
            name, values = "f1", _ratio(2 * hits, truth + guesses)[0]
        values[self._ignored(len(values), ignore_index)] = np.nan
        return name, values

    @staticmethod
    def _ignored(classes: int, ignore_index: int) -> list[int]:
        """The ignore index if it is one of the classes; else empty."""
        return [ignore_index] if 0 <= ignore_index < classes else []

    def confusion(self, tiles: np.ndarray) -> np.ndarray:
        """See :meth:`Evidence.confusion`."""
        return np.asarray(tiles.sum(0, dtype=np.int64))


class Errors(Evidence):
    """Values: labelled pixels, and sums of squared and absolute error, of truth and its square."""

    def by_tile(self, logits: "Tensor", target: "Tensor", ignore_index: int) -> "Tensor":
        """(B, 5) in double precision."""
        import torch

        truth = target.flatten(1).double()
        known = ~truth.isnan()
        truth = truth.nan_to_num()
        error = (logits.flatten(1).double() - truth) * known
        parts = [known.double(), error.square(), error.abs(), truth, truth.square()]
        return torch.stack([part.sum(1) for part in parts], dim=1)

    def labelled(self, tiles: np.ndarray, ignore_index: int) -> bool:
        """See :meth:`Evidence.labelled`."""
        return bool(tiles[:, 0].any())

    def scores(
        self, tiles: np.ndarray, weights: np.ndarray, ignore_index: int
    ) -> dict[str, np.ndarray]:
        """``rmse``, ``mae`` in the target's unit, ``r2``, 0 where the target does not vary."""
        count, squared, absolute, total, total_squared = _sums(tiles, weights).T
        variation = total_squared - _ratio(total**2, count)
        varies = variation > ROUNDING * total_squared
        return {
            "rmse": np.sqrt(_ratio(squared, count)),
            "mae": _ratio(absolute, count),
            "r2": np.where(varies, 1 - _ratio(squared, variation), 0.0),
        }

    def constants(self, tiles: np.ndarray) -> list[np.ndarray]:
        """The mean of all targets, which has the least squares; its absolute error is unknown."""
        count, _, _, total, squares = tiles.sum(0)
        squared = max(squares - total**2 / count, 0.0)
        return [np.array([[count, squared, np.nan, total, squares]])]


class Labels(Evidence):
    """Labels that do not exclude each other: logit and target of each tile and label."""

    adds = False

    def by_tile(self, logits: "Tensor", target: "Tensor", ignore_index: int) -> "Tensor":
        """(B, K, 2) float32."""
        import torch

        return torch.stack([logits.float(), target.to(logits.device).float()], dim=2)

    def labelled(self, tiles: np.ndarray, ignore_index: int) -> bool:
        """See :meth:`Evidence.labelled`."""
        return bool((tiles[..., 1] != ignore_index).any())

    def scores(
        self, tiles: np.ndarray, weights: np.ndarray, ignore_index: int
    ) -> dict[str, np.ndarray]:
        """``map`` (macro average precision) and ``f1`` (macro, at 0.5)."""
        parts = np.array_split(weights, -(-weights.size // AT_ONCE))
        found = [self._by_label(tiles, part, ignore_index) for part in parts]
        precisions, ratios = (np.concatenate(values) for values in zip(*found, strict=True))
        return {"map": _mean(precisions), "f1": _mean(ratios)}

    def constants(self, tiles: np.ndarray) -> list[np.ndarray]:
        """Every label everywhere: its precision is how often it occurs."""
        return [np.stack([np.ones_like(tiles[..., 1]), tiles[..., 1]], axis=-1)]

    def by_class(self, tiles: np.ndarray, ignore_index: int) -> tuple[str, np.ndarray]:
        """``ap``, average precision."""
        return "ap", self._by_label(tiles, np.ones((1, len(tiles))), ignore_index)[0][0]

    def _by_label(
        self, tiles: np.ndarray, weights: np.ndarray, ignore_index: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(R, K) average precision, and F1."""
        precisions, ratios = [], []
        for logits, targets in tiles.transpose(1, 2, 0):
            known = np.flatnonzero(targets != ignore_index)
            best_first = known[np.argsort(-logits[known], kind="stable")]
            seen, logit = weights[:, best_first].astype(float), logits[best_first]
            positive = targets[best_first] == 1
            precisions.append(_average_precision(logit, positive, seen))
            hits = seen @ (positive & (logit > 0))
            ratios.append(_ratio(2 * hits, seen @ positive + seen @ (logit > 0)))
        return np.stack(precisions, 1), np.stack(ratios, 1)


def _average_precision(logit: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R,) average precision of one label, the N answers best first; NaN without a positive."""
    if not len(logit):  # no tile says anything of this label
        return np.full(len(weights), np.nan)
    # Answers of one logit come at once.
    ends = np.append(np.flatnonzero(np.diff(logit)), len(logit) - 1)
    taken = np.cumsum(weights, axis=1)[:, ends]
    hits = np.cumsum(weights * positive, axis=1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0)
    return _ratio((gained * np.nan_to_num(_ratio(hits, taken))).sum(1), hits[:, -1])


def _margins(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(R, K) hits, targets and answers of each class, from (R, K, K) counts."""
    return np.diagonal(matrix, axis1=1, axis2=2), matrix.sum(2), matrix.sum(1)


def _sums(tiles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R, ...) weighted sums over tiles; counts stay exact."""
    flat = tiles.reshape(len(tiles), -1).astype(np.float64)
    return np.asarray((weights @ flat).reshape(len(weights), *tiles.shape[1:]))


def _ratio(part: np.ndarray, of: np.ndarray) -> np.ndarray:
    """NaN where there is nothing to divide by."""
    return np.divide(part, of, out=np.full(np.shape(of), np.nan), where=of != 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """(R,) means of the values of each row that are not NaN; 0 where there is none."""
    known = ~np.isnan(values)
    return np.nan_to_num(values).sum(1) / np.maximum(known.sum(1), 1)
