"""How far scores would move with other test scenes and other fits: one bootstrap of both.

Each resample draws, for each task, as many test scenes as there are, and for each model as many
fits as it has, with replacement. All models of a task see the same scenes, so that differences
between them are paired. A model of one fit varies with the scenes alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eosfm.core.seeds import derive_seed
from eosfm.evaluation.evidence import TaskEvidence
from eosfm.evaluation.result import TaskResult

RESAMPLES = 1000

AT_ONCE = 2**24
"""Most tile weights held at a time; with 100,000 tiles, those of some 170 resamples."""

DECIMALS = 3
"""With which scores are shown."""

SHARE = 0.95
"""Share of the resamples that an interval covers."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval around what was found."""

    low: float
    high: float

    @property
    def apart(self) -> bool:
        """Whether it does not hold 0, as it is shown: resamples that often tie end near it."""
        return round(self.low, DECIMALS) > 0 or round(self.high, DECIMALS) < 0

    def __str__(self) -> str:
        return f"{self.low:z.{DECIMALS}f} to {self.high:z.{DECIMALS}f}"


def interval(found: float, resampled: np.ndarray) -> Interval:
    """The central interval of the resamples, shifted so that their mean is ``found``.

    The shift removes the resampling bias: a resample lacks some scenes and has others twice, which
    lowers a mean over rare classes and raises average precision.
    """
    tails = (0.5 - SHARE / 2, 0.5 + SHARE / 2)
    low, high = found + np.quantile(resampled, tails) - resampled.mean()
    return Interval(float(low), float(high))


def resample(
    seed: int, task: str, evidence: TaskEvidence, models: Mapping[str, TaskResult]
) -> dict[str, dict[str, np.ndarray]]:
    """The scores of every model of a task on the same resamples.

    Args:
        seed: Decides with the task's name what is drawn.
        task: Its name.
        evidence: What the models did, tile by tile.
        models: By name.

    Returns:
        By model, (RESAMPLES,) by metric: the task's own and the one that makes its 0-to-1 score.
    """
    rng = np.random.default_rng(derive_seed(seed, "bootstrap", task))
    scenes = int(evidence.scenes.max()) + 1
    even = np.full(scenes, 1 / scenes)
    step = max(1, AT_ONCE // len(evidence.scenes))
    parts: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in models}
    for start in range(0, RESAMPLES, step):
        drawn = rng.multinomial(scenes, even, size=min(step, RESAMPLES - start))
        weights = drawn[:, evidence.scenes]
        for name in models:
            parts[name].append(evidence.scores(name, weights))
    scores = {name: _joined(some) for name, some in parts.items()}
    known = np.ones(RESAMPLES, bool)
    for metric in (metric for each in scores.values() for metric in each.values()):
        known &= ~np.isnan(metric).any(0) | np.isnan(metric).all()
    if not known.all():
        # Where few scenes have labels, some resamples have none: others stand in for them.
        stand_in = rng.choice(np.flatnonzero(known), RESAMPLES)
        taken = np.where(known, np.arange(RESAMPLES), stand_in)
        scores = {
            name: {metric: values[:, taken] for metric, values in each.items()}
            for name, each in scores.items()
        }
    found = {}
    for name, result in models.items():
        fits = len(evidence.models[name])
        chosen = rng.integers(fits, size=(fits, RESAMPLES))
        found[name] = {
            metric: np.take_along_axis(values, chosen, axis=0).mean(0)
            for metric, values in scores[name].items()
            if metric in (result.metric, result.score_metric)
        }
    return found


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """(fits, RESAMPLES) by metric, of blocks of resamples."""
    return {metric: np.concatenate([part[metric] for part in parts], 1) for metric in parts[0]}
