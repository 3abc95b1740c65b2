"""The baseline of the best single specialist.

Ridge regression, in closed form, gives a shortlist of the specialists; a short fit of the task's
own head on each of these selects the one that is fitted with the whole protocol. Validation scores
decide throughout; test tiles are read for the selected specialist alone.

Short fits of all specialists, without the list, choose worse: at ``mini`` a decoder has learned
next to nothing in a sixteenth of its steps (``benchmarks/choices.md``).
"""

from dataclasses import replace
from functools import partial

from eosfm.core.splits import Splits
from eosfm.evaluation.fit import ALONE, Context, steps_per_epoch
from eosfm.evaluation.forward_selection import explained_alone, ranked
from eosfm.evaluation.head import run_head
from eosfm.evaluation.result import TaskResult
from eosfm.evaluation.trial import make_trials, run_fits
from eosfm.features import processes
from eosfm.features.frozen import FrozenFeatures, only
from eosfm.features.task import Task
from eosfm.kinds.scores import best_of
from eosfm.params import Fusion, ScaleProtocol

SHORTLIST = 5
"""Specialists that get a short fit: those that explain most of the labels, by
:func:`eosfm.evaluation.forward_selection.explained_alone`."""

PART = 4
"""Ratio of the steps of the whole protocol to those of a short fit."""


def best_single(
    task: Task,
    fusion: Fusion,
    splits: Splits[FrozenFeatures],
    count: int,
    context: Context = ALONE,
) -> TaskResult:
    """Score the specialist that does best alone.

    Args:
        task: The task.
        fusion: How a specialist's pyramids become one.
        splits: Features of all specialists.
        count: Fits of the whole protocol.
        context: What goes along.
    """
    (trial,) = make_trials(task, splits.train.some_targets(), 1)
    explained = partial(explained_alone, splits.train, splits.val, trial)
    names = ranked(processes.from_first(explained))[:SHORTLIST]
    protocol = shortened(task.protocol, steps_per_epoch(trial, splits.train))
    # The selection leaves late fusion out, and never reads test tiles.
    short, blind = replace(task, protocol=protocol), replace(splits, test=splits.val)
    without = replace(context, voter=None)
    fits = {
        name: partial(run_head, short, fusion, only(blind, [name]), 1, without) for name in names
    }
    # A single candidate needs no short fit.
    if len(names) > 1:
        vals = {name: found.val[task.metric] for name, found in run_fits(fits).items()}
        best = best_of(task.metric, vals)
    else:
        best = names[0]
    return run_head(task, fusion, only(splits, [best]), count, context)


def shortened(protocol: ScaleProtocol, steps: int) -> ScaleProtocol:
    """The protocol of a short fit, which has a :data:`PART` of the steps.

    Args:
        protocol: Of the whole fit.
        steps: Of one of its epochs.
    """
    epochs = max(1, protocol.epochs // PART)
    steps = -(-steps * protocol.epochs // (PART * epochs))
    return protocol.model_copy(update={"epochs": epochs, "steps_per_epoch": steps})
