"""What a task kind is: everything that differs between kinds, asked of one object."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.named import named
from eosfm.kinds.evidence import Evidence
from eosfm.kinds.examples import EXAMPLES, Examples, spread
from eosfm.kinds.targets import TargetStatistics, require_labelled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn
    from torchmetrics import Metric

MAPS = 4
"""A head takes as many feature maps as an encoder gives, at strides 4, 8, 16, 32."""


class HeadSpec(NamedTuple):
    """What a head is built from: the arguments of :meth:`Kind.build_head`."""

    name: str
    channels: Sequence[int]
    classes: int
    width: int
    statistics: TargetStatistics
    dropout: float


class Kind(ABC):
    """A task kind: one instance per kind, listed in :data:`eosfm.kinds.KINDS`.

    Stored targets are numpy arrays as the tile store holds them; batched targets are what
    :meth:`target` takes out of a batch; logits are what the kind's heads return.

    Attributes:
        name: As in a dataset's facts.
        answer: Whether an image, each pixel or each object gets an answer.
        heads: Valid heads, the default first.
        specialist_heads: Further ones, valid for specialists alone.
        losses: Valid losses, the default first.
        metrics: What a task may be scored by.
        headline: The metric that chooses the best epoch; higher is better.
        target_key: The key of a sample's target, as torchgeo names it.
        bitemporal: Whether the label says what differs between two dates, so that both are needed.
        unweighted: Why classes get no weights, where they do not.
        evidence: How scores follow from tiles, in kinds that a task may have.
    """

    name: ClassVar[str]
    answer: ClassVar[Literal["image", "pixel", "object"]]
    heads: ClassVar[tuple[str, ...]]
    specialist_heads: ClassVar[tuple[str, ...]] = ()
    losses: ClassVar[tuple[str, ...]]
    metrics: ClassVar[tuple[str, ...]]
    headline: ClassVar[str]
    target_key: ClassVar[Literal["label", "mask", "bbox_xyxy"]]
    bitemporal: ClassVar[bool] = False
    unweighted: ClassVar[str | None] = None
    evidence: ClassVar[Evidence]

    # Targets in the tile store

    @abstractmethod
    def target_layout(
        self, classes: int, size: tuple[int, ...], ignore_index: int
    ) -> tuple[np.dtype, tuple[int, ...]] | None:
        """Dtype and shape of one stored target; None where it is a table of boxes."""

    def misdescribed(self, classes: int, ignore_index: int | None) -> str | None:
        """What is wrong with a dataset's facts on its labels; None where nothing is."""
        return None

    def blank(self, ignore_index: int) -> float:
        """The target of what is not labelled: padding, and pixels that were not measured."""
        return ignore_index

    def check_target(
        self,
        target: np.ndarray,
        size: tuple[int, ...],
        classes: int,
        ignore_index: int | None,
        where: str,
    ) -> None:
        """Refuse labels that are not classes, before they become an index error in training.

        Args:
            target: A stored target, not yet padded.
            size: Height and width of its image.
            classes: Number of classes.
            ignore_index: The value that is no class; None where every target is one.
            where: Names the scene in errors.

        Raises:
            EosfmError: Shape or values are wrong.
        """
        if fault := self.fault(np.asarray(target), size, classes, ignore_index):
            raise EosfmError(f"{where}: {fault}; check its files")

    def fault(
        self, target: np.ndarray, size: tuple[int, ...], classes: int, ignore_index: int | None
    ) -> str | None:
        """What is wrong with a stored target, and what was expected; None where nothing is."""
        if target.dtype.kind not in "buif":
            return f"a target of {target.dtype}; expected numbers"
        whole = target.dtype.kind != "f"
        if not target.size or (whole and target.min() >= 0 and target.max() < classes):
            return None
        known = (target >= 0) & (target < classes) & (whole or target == np.floor(target))
        wrong = ~known if ignore_index is None else ~known & (target != ignore_index)
        if not wrong.any():
            return None
        found = np.unique(target[wrong])[0]
        expected = f"label {found:g}; expected 0 to {classes - 1}"
        if ignore_index is None and np.isnan(found):
            return (
                f"{expected}; files of real numbers have it at their nodata value; give the "
                "dataset an ignore_index, which such pixels get"
            )
        if ignore_index is None:
            return (
                f"{expected}; where it means unlabelled, give it as the dataset's ignore_index, "
                "else let the reader make a class of it"
            )
        return f"{expected} or {ignore_index} (unlabelled)"

    def target_statistics(
        self, targets: Iterable[np.ndarray], classes: int, ignore_index: int
    ) -> TargetStatistics:
        """Summarise stored targets, one at a time.

        Raises:
            EosfmError: None is labelled.
        """
        counts = np.zeros(classes, dtype=np.int64)
        labelled = 0
        for target in map(np.asarray, targets):
            known = target[target != ignore_index].astype(np.int64)
            counts += np.bincount(known, minlength=classes)
            labelled += known.size
        return TargetStatistics(tuple(counts.tolist()), require_labelled(labelled))

    def class_weights(self, statistics: TargetStatistics) -> tuple[float, ...]:
        """Weights that give rare classes more say: see :func:`eosfm.heads.losses.balanced`.

        Raises:
            EosfmError: The kind's loss takes none.
        """
        if self.unweighted:
            raise EosfmError(f"class_weights is balanced, but {self.unweighted}; set it to none")
        return named("eosfm.heads.losses.balanced")(statistics.counts)

    @abstractmethod
    def strata(self, targets: Sequence[np.ndarray], classes: int, ignore_index: int) -> np.ndarray:
        """The stratum of each stored target, (N,) integers, for shares of the labels."""

    def thirds(self, targets: Sequence[np.ndarray], classes: int, ignore_index: int) -> np.ndarray:
        """The strata of PANGAEA (arXiv 2412.04204); where it has none, those of :meth:`strata`."""
        return self.strata(targets, classes, ignore_index)

    # Batches and models

    def target(self, batch: Mapping[str, Any]) -> Any:
        """The targets of a batch, as losses and metrics take them."""
        return batch[self.target_key]

    def build_head(
        self,
        head: str,
        channels: Sequence[int],
        classes: int,
        width: int,
        statistics: TargetStatistics,
        dropout: float = 0.0,
    ) -> "nn.Module":
        """Build a head, called as ``head(maps, size)``.

        ``maps`` are four tensors (B, C_i, h_i, w_i) at strides 4, 8, 16, 32, finest first; ``size``
        is the input's (height, width).

        Args:
            head: One of :attr:`heads` or :attr:`specialist_heads`.
            channels: Channels of the four maps.
            classes: Number of classes, K; 1 for regression.
            width: Channels of the decoder, where the head has one.
            statistics: Of the training targets.
            dropout: Before the last layer of a head that answers every pixel.

        Returns:
            A module that returns logits: (B, K) for an answer per image, (B, K, height, width) for
            one per pixel, :class:`eosfm.heads.fcos.Cells` for one per object.

        Raises:
            EosfmError: The head does not fit the kind, or there are not four maps.
        """
        self.check("head", head, (*self.heads, *self.specialist_heads))
        if len(channels) != MAPS:
            raise EosfmError(f"a head takes {MAPS} feature maps; the encoder gives {len(channels)}")
        return self.head(HeadSpec(head, channels, classes, width, statistics, dropout))

    @abstractmethod
    def head(self, spec: HeadSpec) -> "nn.Module":
        """What :meth:`build_head` gives, once its arguments are checked."""

    def trim(self, logits: Any, size: tuple[int, int]) -> Any:
        """Logits without what an image was padded with to the right and below."""
        return logits

    def build_loss(
        self, loss: str, ignore_index: int, class_weights: Sequence[float] | None = None
    ) -> "nn.Module":
        """Build a loss, called as ``loss(logits, target)`` and returning a scalar.

        A batch without any labelled target gives 0, with a gradient of 0.

        Args:
            loss: One of :attr:`losses`; what each computes is told in :mod:`eosfm.heads.losses`.
            ignore_index: Target value that does not count.
            class_weights: One per class.

        Raises:
            EosfmError: The loss does not fit the kind.
        """
        self.check("loss", loss, self.losses)
        return named("eosfm.heads.losses.LOSSES")[loss](ignore_index, class_weights)

    def build_metrics(self, classes: Sequence[str], ignore_index: int) -> "Metric":
        """Build the metrics: ``update(logits, target)``, ``compute() -> dict[str, float]``.

        Beside those of the whole split stand those of single classes, as ``<metric>/<class>``
        (see :func:`eosfm.kinds.scores.gather_classes`). Targets equal to ``ignore_index``, or NaN,
        do not count.
        """
        return named("eosfm.heads.metrics.TileScores")(self.evidence, classes, ignore_index)

    def predict(self, logits: Any) -> Any:
        """Turn logits into what the target looks like: by default the most likely class."""
        return logits.argmax(dim=1)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """(B, K, ...) of the classes, which exclude each other by default; a value as it is."""
        return logits.softmax(dim=1)

    @abstractmethod
    def constant_logits(self, statistics: TargetStatistics, target: Any) -> Any:
        """Logits of a constant baseline, which ignores the image, for a batch of targets."""

    def constants(self, statistics: TargetStatistics) -> tuple[TargetStatistics, ...]:
        """Statistics to build constant baselines from; by default those of the training targets.

        The best of these baselines is what a model has to beat.
        """
        return (statistics,)

    # Dates

    def aggregations(self, dates: int) -> tuple[str | None, ...]:
        """The valid ways to merge a task's dates: None where there is one."""
        if dates == 1:
            return (None,)
        return ("concat", "difference") if self.bitemporal else ("mean", "linear", "ltae")

    def merge_dates(self, level: "Tensor") -> "Tensor":
        """A specialist's own dates as one map: (B, T, C, h, w) to (B, C', h, w), the mean."""
        # The gradient of level[:, 0] would have another memory format than the encoder's maps.
        return level.mean(dim=1) if level.shape[1] > 1 else level.squeeze(1)

    def merged(self, channels: Sequence[int], dates: int) -> list[int]:
        """Channels after :meth:`merge_dates`, by level."""
        return list(channels)

    # Pictures

    def examples(
        self, count: int, target: Callable[[int], np.ndarray], ignore_index: int
    ) -> list[int]:
        """Which of ``count`` tiles to draw: some, evenly spread."""
        return spread(count, 2 * EXAMPLES)

    @abstractmethod
    def draw(self, examples: Examples) -> "Figure":
        """A picture of images, labels and predictions side by side."""

    # Errors

    def check(self, what: str, found: str, valid: Sequence[str]) -> None:
        """Refuse what does not fit this kind.

        Raises:
            EosfmError: One line with the valid values.
        """
        if found not in valid:
            raise EosfmError(
                f"{what} {found!r} does not fit {self.name}; valid: {', '.join(valid)}"
            )
