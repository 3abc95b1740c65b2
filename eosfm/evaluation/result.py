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
        tiles: (N, ...) per-tile evidence behind the test scores (:mod:`eosfm.kinds.evidence`). It
            has its own file (:mod:`eosfm.evaluation.evidence`); None if that was not read.
        pixel_share: Weight of the pixel model in late fusion, 0 to 1.
    """

    val: Scores
    test: Scores
    best_epoch: int
    tiles: Any = field(default=None, compare=False, repr=False)
    pixel_share: float = 0.0


@dataclass(frozen=True)
class SelectionPath:
    """The first specialists that forward selection adds for a task, and the R2 they reach.

    Attributes:
        specialists: In the order in which they are chosen.
        explained: R2 on the validation labels after each addition, by ridge regression on the
            frozen features of the specialists chosen so far.
    """

    specialists: tuple[str, ...]
    explained: tuple[float, ...]


@dataclass(frozen=True)
class TaskResult:
    """How well one model does on a downstream task, over one or more fits.

    Attributes:
        metric: The task's headline.
        score: Mean test score from 0 to 1, higher is better, comparable across tasks.
        score_metric: Metric of ``score``: the headline, or R2 if that is an error in physical
            units.
        val: Mean of each validation metric over the fits.
        test: Mean of each test metric.
        spread: Standard deviation of each test metric between fits, 0 for a single one.
        per_class: Mean test score by class name, None where the class does not occur.
        classes: Class names by index; of a regression, the name of the quantity.
        fits: The single fits.
        selected: The specialists in use.
        labels: Number of labelled training tiles used.
        train_tiles: Number of training tiles of the task's dataset; specialists trained on that
            dataset have seen all of their labels.
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
    """Results of a task by number of specialists, by specialist, and by share of labels.

    Attributes:
        counts: Result by number of selected specialists, and ``all``.
        whole: Selection from all; like the next two, a shorter fit of a linear head.
        alone: Result with each specialist alone.
        without: Result with each specialist left out.
        labels: Result of the ensemble by share of the labelled tiles.
        scratch: Result of one backbone trained from scratch, by share of the labelled tiles.
    """

    counts: dict[str, TaskResult]
    whole: TaskResult
    alone: dict[str, TaskResult]
    without: dict[str, TaskResult]
    labels: dict[str, TaskResult]
    scratch: dict[str, TaskResult]
