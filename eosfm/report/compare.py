"""How the ensemble stands against a baseline, on each task and over all."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import numpy as np

from eosfm.report.bootstrap import Interval, interval
from eosfm.report.results import BASELINES, Results

SIGNIFICANT = 0.05
"""Significance level: a smaller p counts as a difference."""

SIGNS = 2**16
"""Most sign patterns in the permutation test: all of them, or this many random ones."""


@dataclass(frozen=True)
class Lead:
    """The ensemble's scores less a baseline's, task by task.

    Attributes:
        mean: Mean difference of the 0-to-1 scores.
        median: Of the same differences.
        wins: Tasks on which the ensemble is ahead.
        losses: Tasks on which it is behind.
        tasks: All of them.
        p: Two-sided p of a paired permutation test over the tasks (random signs of the
            differences); exact for up to 16 tasks.
        interval: Of the mean, over resampled test scenes and fits of these tasks.
    """

    mean: float
    median: float
    wins: int
    losses: int
    tasks: int
    p: float
    interval: Interval

    @property
    def shown_p(self) -> str:
        """The p with two digits, or with as many as show on which side of 0.05 it is."""
        told = (f"{self.p:.{digits}g}" for digits in range(2, 18))
        return next(p for p in told if (float(p) < SIGNIFICANT) == (self.p < SIGNIFICANT))

    @property
    def verdict(self) -> str:
        """What the test over tasks says: ``ahead of``, ``level with`` or ``behind``.

        Of five tasks it says nothing: with all on one side, p is 2 / 2^5.
        """
        if 2 / 2**self.tasks >= SIGNIFICANT:
            return "too few tasks to tell from"
        if self.p >= SIGNIFICANT:
            return "level with"
        return "ahead of" if self.mean > 0 else "behind"


def lead(results: Results, baseline: str, tasks: Collection[str] | None = None) -> Lead:
    """Compare the ensemble with a baseline, over all tasks or some."""
    names = [task for task in results.evaluate if tasks is None or task in tasks]
    rival = results.of(baseline)
    ours = tuple(results.evaluate[task].score for task in names)
    theirs = tuple(rival[task].score for task in names)
    difference = np.array(ours) - np.array(theirs)
    again = [results.resampled("eosfm", task) - results.resampled(baseline, task) for task in names]
    return Lead(
        mean=float(difference.mean()),
        median=float(np.median(difference)),
        wins=int((difference > 0).sum()),
        losses=int((difference < 0).sum()),
        tasks=len(difference),
        p=_p_value(ours, theirs),
        interval=interval(float(difference.mean()), np.mean(again, axis=0)),
    )


@cache  # several tables and plots of a report ask for the same
def _p_value(ours: tuple[float, ...], theirs: tuple[float, ...]) -> float:
    """See :attr:`Lead.p`; 1 for a single task, which is as far from 0 with either sign."""
    from scipy.stats import permutation_test

    if len(ours) < 2:
        return 1.0
    test = permutation_test(
        (np.array(ours), np.array(theirs)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=SIGNS,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)


def leads(results: Results, tasks: Collection[str] | None = None) -> dict[str, Lead]:
    """Compare the ensemble with every baseline, over all tasks or some."""
    return {name: lead(results, name, tasks) for name in BASELINES}


def mean_interval(results: Results, model: str) -> Interval:
    """Of a model's mean score."""
    again = [results.resampled(model, task) for task in results.evaluate]
    return interval(results.mean_score(model), np.mean(again, axis=0))


def score_interval(results: Results, model: str, task: str) -> Interval:
    """Of a model's test result in the task's own metric."""
    result = results.of(model)[task]
    again = results.resamples[task][model][result.metric]
    return interval(result.test[result.metric], again)


def difference(results: Results, baseline: str, task: str) -> tuple[float, Interval]:
    """The ensemble's 0-to-1 score less a baseline's on one task."""
    found = results.evaluate[task].score - results.of(baseline)[task].score
    again = results.resampled("eosfm", task) - results.resampled(baseline, task)
    return found, interval(found, again)
