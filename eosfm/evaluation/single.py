"""The best specialist alone, found by the fit that is scored.

Ridge regression, in closed form, leaves a short list of all specialists; a short fit of the task's
own head leaves the last few of these, and those get the whole protocol. Validation decides
throughout, and test tiles are read of the last few alone.

Short fits of all, without the list, choose worse: at ``mini`` a decoder has learned next to nothing
in a sixteenth of its steps (``benchmarks/README.md``).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from eosfm.core.splits import Splits
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.evaluation.fit import steps_per_epoch
from eosfm.evaluation.forward_selection import explained_alone, ranked
from eosfm.evaluation.head import run_head
from eosfm.evaluation.late_fusion import PixelVoter
from eosfm.evaluation.result import TaskResult
from eosfm.evaluation.trial import make_trials, run_fits
from eosfm.features.frozen import FrozenFeatures, only
from eosfm.features.task import Task
from eosfm.kinds.scores import better
from eosfm.params import Fusion, ScaleProtocol

SHORTLIST = 6
"""Specialists that get a short fit: those that explain most of the labels, by
:func:`eosfm.evaluation.forward_selection.explained_alone`."""

PART = 4
"""Steps of the whole protocol over those of a short fit."""

LAST = 2
"""Specialists that get the whole protocol."""


def best_single(
    task: Task,
    fusion: Fusion,
    splits: Splits[FrozenFeatures],
    count: int,
    checkpoints: Checkpoints | None = None,
    voter: PixelVoter | None = None,
) -> TaskResult:
    """Score the specialist that does best alone.

    Args:
        task: The task.
        fusion: How a specialist's pyramids become one.
        splits: Features of all specialists.
        count: Fits of the whole protocol.
        checkpoints: Where killed fits resume from.
        voter: What answers along, of pixel labels.
    """
    (trial,) = make_trials(task, splits.train.some_targets(), 1)
    names = ranked(explained_alone(splits.train, splits.val, trial))[:SHORTLIST]
    if len(names) > LAST:
        blind = replace(splits, test=splits.val)
        protocol = shortened(task.protocol, steps_per_epoch(trial, splits.train))
        watched = None if voter is None else replace(voter, test=voter.val)
        short = _ranked(replace(task, protocol=protocol), fusion, blind, names, 1, voter=watched)
        names = list(short)[:LAST]
    return next(iter(_ranked(task, fusion, splits, names, count, checkpoints, voter).values()))


def _ranked(
    task: Task,
    fusion: Fusion,
    splits: Splits[FrozenFeatures],
    names: Sequence[str],
    count: int,
    checkpoints: Checkpoints | None = None,
    voter: PixelVoter | None = None,
) -> dict[str, TaskResult]:
    """Each specialist's result, from the best on the validation split down."""
    results = run_fits(
        {
            name: partial(
                run_head,
                task,
                fusion,
                only(splits, [name]),
                count,
                checkpoints=checkpoints,
                voter=voter,
            )
            for name in names
        }
    )
    sign = 1 if better(task.metric, 0.0, 1.0) else -1
    return dict(sorted(results.items(), key=lambda item: sign * item[1].val[task.metric]))


def shortened(protocol: ScaleProtocol, steps: int) -> ScaleProtocol:
    """The protocol of a short fit, which has a :data:`PART` of the steps.

    Args:
        protocol: Of the whole fit.
        steps: Of one of its epochs.
    """
    epochs = max(1, protocol.epochs // PART)
    steps = -(-steps * protocol.epochs // (PART * epochs))
    return protocol.model_copy(update={"epochs": epochs, "steps_per_epoch": steps})
