"""How the ensemble stands against a baseline, over all tasks."""

from dataclasses import dataclass

import numpy as np

from eosfm.report.results import Results


@dataclass(frozen=True)
class Lead:
    """The ensemble's scores less a baseline's, task by task.

    Attributes:
        mean: Mean difference of the 0-to-1 scores.
        wins: Tasks on which the ensemble is ahead.
        losses: Tasks on which it is behind.
        p: How often differences of random sign would be as far from 0: an exact paired permutation
            test over the tasks, two-sided.
    """

    mean: float
    wins: int
    losses: int
    p: float


def lead(results: Results, baseline: str) -> Lead:
    """Compare the ensemble with a baseline."""
    from scipy.stats import permutation_test

    rival = results.of(baseline)
    ours = np.array([result.score for result in results.evaluate.values()])
    theirs = np.array([rival[task].score for task in results.evaluate])
    difference = ours - theirs
    p = 1.0  # of a single task, which is as far from 0 with either sign
    if len(ours) > 1:
        test = permutation_test(
            (ours, theirs),
            lambda a, b, axis: np.mean(a - b, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=np.inf,
        )
        p = float(test.pvalue)
    return Lead(
        mean=float(difference.mean()),
        wins=int((difference > 0).sum()),
        losses=int((difference < 0).sum()),
        p=p,
    )
