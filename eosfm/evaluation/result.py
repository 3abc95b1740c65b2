"""What evaluation tells the report."""

from dataclasses import dataclass, field
from typing import Any

Scores = dict[str, float]
"""Values by metric."""


@dataclass(frozen=True)
class Fit:
    """One fit of a task.

    Attributes:
        val: Validation metrics of the best epoch.
        test: Test metrics of the same.
        best_epoch: Counted from 1; 0 where nothing is trained in epochs.
        tiles: (N, ...) array, what the test scores follow from (see :mod:`eosfm.kinds.evidence`).
            It has a file of its own, :mod:`eosfm.evaluation.evidence`; None where that is not read.
        pixel_share: What a linear model of pixel values has of the answer, by late fusion.
    """

    val: Scores
    test: Scores
    best_epoch: int
    tiles: Any = field(default=None, compare=False, repr=False)
    pixel_share: float = 0.0


@dataclass(frozen=True)
class SelectionPath:
    """How much a task's first few specialists tell, by forward selection.

    Attributes:
        specialists: In the order in which they are chosen.
        explained: Share of the validation labels' variance (R2) that each explains with those
            before it, by ridge regression on the frozen features.
    """

    specialists: tuple[str, ...]
    explained: tuple[float, ...]


@dataclass(frozen=True)
class TaskResult:
    """How well one model does on a downstream task, over one or more fits.

    Attributes:
        metric: The task's headline.
        score: The test result as a score from 0 to 1, higher is better, that tasks can be averaged
            by.
        score_metric: The metric that it is: the headline, but for errors in physical units R2.
        val: Mean of each validation metric over the fits.
        test: Mean of each test metric.
        spread: Standard deviation of each test metric between fits, 0 for a single one.
        per_class: Mean test score by class name, None where the class does not occur.
        classes: Class names by index; of a regression, the name of the quantity.
        fits: One by one.
        selected: The specialists in use.
        labels: Labelled training tiles.
        train_tiles: Training tiles of the task's dataset: as many labels have specialists seen that
            were trained on it.
    """

    metric: str
    score: float
    score_metric: str
    val: Scores
    test: Scores
    spread: Scores
    per_class: dict[str, float | None]
    classes: tuple[str, ...]
    fits: tuple[Fit, ...]
    selected: tuple[str, ...]
    labels: int
    train_tiles: int


@dataclass(frozen=True)
class BaselineResults:
    """What the ensemble must beat on a task.

    Attributes:
        random: The same ensemble with random weights.
        start: One frozen backbone with the weights that specialists begin with.
        single: The best specialist alone.
        scratch: One backbone, trained on the task's labels alone.
        statistics: A linear model of the pixels, or of the bands' mean and spread.
    """

    random: TaskResult
    start: TaskResult
    single: TaskResult
    scratch: TaskResult
    statistics: TaskResult


@dataclass(frozen=True)
class AnalysisResult:
    """One task's score, taken apart.

    Attributes:
        counts: By number of specialists (``all`` of them last), those selected.
        whole: Those that a task chooses of all, in a shorter fit of a linear head, as the next two.
        alone: By specialist, that one only.
        without: By specialist, all but that one.
        labels: By share of the labelled tiles, the ensemble.
        scratch: By share of the labelled tiles, one backbone trained on these alone.
    """

    counts: dict[str, TaskResult]
    whole: TaskResult
    alone: dict[str, TaskResult]
    without: dict[str, TaskResult]
    labels: dict[str, TaskResult]
    scratch: dict[str, TaskResult]
