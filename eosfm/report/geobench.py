"""The mean over tasks as GEO-Bench-2 takes it (its Leaderboard's code, Apache-2).

Each task's single fits are normalised by the smallest and largest score that any model's fit has
there. A model's value is the interquartile mean of all its normalised fits: 100 times, fits are
drawn with replacement within each task, equally many of each, and the 100 values are averaged.
There the range comes from a fixed file, here from the models of the run: values of two runs do not
compare.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from eosfm.kinds.scores import score01
from eosfm.report.results import MODELS, Results

SEEDS = range(100, 200)
"""Of the resamples, one each."""


@dataclass(frozen=True)
class Aggregate:
    """A model's value.

    Attributes:
        value: Mean of the resamples.
        error: Its standard error, the standard deviation of the resamples; None where no task has
            two fits.
    """

    value: float
    error: float | None


def aggregate(results: Results) -> dict[str, Aggregate]:
    """The value of each model."""
    normalised: dict[str, list[np.ndarray]] = {model: [] for model in MODELS}
    for task in results.evaluate:
        fits = {model: _scores(results, model, task) for model in MODELS}
        every = np.concatenate(list(fits.values()))
        if every.min() == every.max():  # says nothing of any model
            continue
        for model, scores in fits.items():
            normalised[model].append((scores - every.min()) / (every.max() - every.min()))
    # What is solved in closed form has one fit where others have several.
    count = max((len(fits) for tasks in normalised.values() for fits in tasks), default=0)
    return {
        model: _aggregate(tuple(tuple(fits.tolist()) for fits in tasks), count)
        for model, tasks in normalised.items()
    }


def _scores(results: Results, model: str, task: str) -> np.ndarray:
    """The 0-to-1 score of each fit."""
    result = results.of(model)[task]
    metric = result.score_metric
    return np.array([score01(metric, fit.test[metric]) for fit in result.fits])


@cache  # several tables of a report ask for the same
def _aggregate(tasks: tuple[tuple[float, ...], ...], count: int) -> Aggregate:
    """From so many of the normalised fits of each task; 0 where no task tells the models apart."""
    if not tasks:
        return Aggregate(0.0, None)
    from scipy.stats import trim_mean

    values = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        pooled = np.concatenate([rng.choice(fits, count) for fits in tasks])
        values.append(trim_mean(pooled, 0.25))
    error = float(np.std(values, ddof=1))
    several = max(map(len, tasks)) > 1
    return Aggregate(float(np.mean(values)), error if several else None)
