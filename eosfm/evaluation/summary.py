"""Several fits of one task as one result."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from eosfm.evaluation.result import Fit, Scores, TaskResult
from eosfm.features.task import Task
from eosfm.kinds.scores import SCORES, gather_classes, score01


def summarise(
    task: Task, fits: Sequence[Fit], labels: int, selected: Sequence[str] = ()
) -> TaskResult:
    """Average the fits of a task.

    Args:
        task: The task.
        fits: At least one, scores of single classes included.
        labels: Labelled training tiles.
        selected: The specialists in use.
    """
    val = gather_classes(_means([fit.val for fit in fits]), task.classes)
    test = gather_classes(_means([fit.test for fit in fits]), task.classes)
    per_class = test.pop("per_class")
    val.pop("per_class")
    # An error in physical units cannot be averaged with scores; its kind's headline can.
    comparable = task.metric if task.metric in SCORES else task.kind.headline
    return TaskResult(
        metric=task.metric,
        score=score01(comparable, test[comparable]),
        score_metric=comparable,
        val=val,
        test=test,
        spread={key: _spread([fit.test[key] for fit in fits]) for key in test},
        per_class=per_class,
        classes=task.classes,
        fits=tuple(
            replace(fit, val=_only(fit.val, test), test=_only(fit.test, test)) for fit in fits
        ),
        selected=tuple(selected),
        labels=labels,
        train_tiles=len(task.store.split("train")),
    )


def _means(scores: Sequence[Scores]) -> Scores:
    """The mean of each metric over the fits that have it; a class may occur in some only."""
    keys = dict.fromkeys(key for fit in scores for key in fit)
    return {key: statistics.fmean(fit[key] for fit in scores if key in fit) for key in keys}


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _only(scores: Scores, keys: Scores) -> Scores:
    return {key: scores[key] for key in keys}
