"""Metrics as numbers that people read and compare."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from eosfm.core.errors import EosfmError, suggest

Name = TypeVar("Name")

SCORES = ("miou", "accuracy", "map", "map50", "f1", "r2")
"""Metrics from 0 to 1 (R2 once clipped), higher is better."""

ERRORS = ("rmse", "mae")
"""Metrics in the target's unit, lower is better."""


def better(metric: str, score: float, than: float) -> bool:
    """Whether one value of a metric beats another; every number beats NaN."""
    if math.isnan(than):
        return not math.isnan(score)
    return score < than if metric in ERRORS else score > than


def best_of(metric: str, values: Mapping[Name, float]) -> Name:
    """Whose value of a metric is best; the first of equals."""
    first, *others = values
    for name in others:
        if better(metric, values[name], values[first]):
            first = name
    return first


def score01(metric: str, value: float) -> float:
    """A metric as a score from 0 to 1, higher is better; R2 is clipped at 0.

    Raises:
        EosfmError: The metric has no such form (errors in the target's unit: use ``r2``).
    """
    if metric not in SCORES:
        raise EosfmError(f"{metric!r} is not a 0-to-1 score; {suggest(metric, SCORES)}")
    return min(max(value, 0.0), 1.0)


def gather_classes(scores: Mapping[str, float], classes: Sequence[str]) -> dict[str, Any]:
    """Set the scores of single classes apart, for a result that people read.

    Args:
        scores: What a kind's metrics computed.
        classes: All class names, in their order.

    Returns:
        The scores of the whole split, and ``per_class``: the score (IoU, F1 or average precision)
        by class name, None where the class does not occur; empty where there are no such scores.
    """
    whole = {key: value for key, value in scores.items() if "/" not in key}
    single = {key.partition("/")[2]: value for key, value in scores.items() if "/" in key}
    per_class = {name: single.get(name) for name in classes} if single else {}
    return {**whole, "per_class": per_class}
