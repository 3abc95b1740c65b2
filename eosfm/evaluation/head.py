"""Scoring a task's head on frozen features."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from eosfm.core.splits import Splits
from eosfm.evaluation.fit import (
    ALONE,
    Context,
    Keep,
    fit_all,
    steps_per_epoch,
    training_batches,
)
from eosfm.evaluation.forward_selection import MOST, enough, select_forward
from eosfm.evaluation.knn import score_knn
from eosfm.evaluation.learner import Learner
from eosfm.evaluation.probe import Probe, build_probe
from eosfm.evaluation.result import Fit, TaskResult
from eosfm.evaluation.ridge import fit_ridge
from eosfm.evaluation.summary import summarise
from eosfm.evaluation.trial import Trial, make_trials, seeded
from eosfm.features import processes
from eosfm.features.device import device, to_device
from eosfm.features.frozen import FrozenFeatures, only
from eosfm.features.task import CLOSED_FORM, Task
from eosfm.fusion.fuser import PUBLISHED
from eosfm.fusion.selection import Selection
from eosfm.params import Fusion

CHOICE = 3
"""Ratio of the steps of a fit to those by which gates choose specialists, at most."""


def run_head(
    task: Task,
    fusion: Fusion,
    splits: Splits[FrozenFeatures],
    fits: int,
    context: Context = ALONE,
    features: str = "ensemble",
) -> TaskResult:
    """Train fusion and head, and test the best epoch once.

    Args:
        task: The task.
        fusion: How the pyramids become one, and how many specialists are selected.
        splits: The features.
        fits: Number of fits, each with its own seed; the scores are averaged.
        context: What goes along.
        features: Names whose features these are: tells apart checkpoints of equal specialists.
    """
    trials = make_trials(task, splits.train.some_targets(), fits)
    done, used = fit_head(trials, fusion, splits, context, features)
    return summarise(task, done, len(splits.train), used)


def fit_head(
    trials: Sequence[Trial],
    fusion: Fusion,
    splits: Splits[FrozenFeatures],
    context: Context = ALONE,
    features: str = "ensemble",
) -> tuple[list[Fit], list[str]]:
    """Run :func:`run_head` for given trials; return their fits and the specialists in use."""
    task = trials[0].task
    splits = choose_bands(fusion, splits)
    if task.head in CLOSED_FORM:
        fit, used = _closed_form(task, fusion, splits, trials[0], context.keep)
        if context.log is not None:  # no curve, but a point of one
            context.log({f"val_{task.metric}": fit.val[task.metric]}, 0)
        return [fit], used
    fewer = selects(fusion, len(splits.train.specialists))
    if fewer and not fusion.selection.startswith(PUBLISHED):  # published gates select in the fit
        chosen = choose(fusion, splits.train, splits.val, trials[0])
        splits = only(splits, chosen)
    inputs = splits.train.inputs
    with seeded(trials[0]):
        prepare = build_probe(fusion, inputs, trials[0]).fusing.to(device()).prepare
    prepared = splits.map(lambda split: split.prepared(prepare))
    probes: dict[int, Probe] = {}

    def build(trial: Trial) -> Probe:
        probes[trial.seed] = build_probe(fusion, inputs, trial)
        return probes[trial.seed]

    decisive = (features, fusion, splits.train.specialists)
    done = fit_all(build, prepared, trials, context, decisive)
    # Fits that select for themselves may differ: report the selection of the first.
    return done, probes[trials[0].seed].fusing.fuser.selected


def choose_bands(fusion: Fusion, splits: Splits[FrozenFeatures]) -> Splits[FrozenFeatures]:
    """The splits without the pyramid of the bands, unless ``fusion.spectral`` asks for it."""
    return splits if fusion.spectral else splits.map(FrozenFeatures.without_bands)


def selects(fusion: Fusion, members: int) -> bool:
    """Whether fusion selects among this many specialists instead of keeping all of them."""
    most = 1 if fusion.max_encoders == "auto" else fusion.max_encoders
    return most is not None and most < members


def choose(fusion: Fusion, train: FrozenFeatures, val: FrozenFeatures, trial: Trial) -> list[str]:
    """The ``fusion.max_encoders`` specialists that a task selects, by ``fusion.selection``.

    Selection by gates trains the same fusion with a linear head until the choice is settled, for at
    most a third of the steps of a fit. ``benchmarks/choices.md`` compares cost and score of the
    methods.
    """
    if fusion.selection == "forward":
        path = processes.from_first(
            partial(select_forward, train, val, trial, fusion.limit or MOST)
        )
        return enough(path) if fusion.max_encoders == "auto" else list(path)
    trial = replace(trial, task=trial.task.with_linear_head())
    with seeded(trial):
        probe = build_probe(fusion, train.inputs, trial)
    selection = cast(Selection, probe.fusing.fuser.selection)
    prepared = train.prepared(probe.to(device()).fusing.prepare)
    learner = Learner(probe, trial, length=None)
    length = -(-trial.task.protocol.epochs * steps_per_epoch(trial, train) // CHOICE)
    for batch in prepared.batches(training_batches(prepared, trial, length, 0)):
        inputs, target = to_device(batch)
        learner.step(inputs, target, prepared.windows.size)
        if processes.from_first(lambda: selection.settled):
            break
    selection.settle()
    return processes.from_first(lambda: list(probe.fusing.fuser.selected))


def _closed_form(
    task: Task,
    fusion: Fusion,
    splits: Splits[FrozenFeatures],
    trial: Trial,
    keep: Keep | None,
) -> tuple[Fit, list[str]]:
    """The single fit of a closed-form head, and the specialists that it uses.

    Ridge selects them by its own weights and ignores ``fusion.selection``.
    """
    if task.head == "ridge":
        limit = MOST if fusion.max_encoders == "auto" else fusion.limit
        return fit_ridge(splits, trial, fusion, limit, keep)
    val, test = (score_knn(splits.train, split, trial) for split in (splits.val, splits.test))
    return Fit(val.scores, test.scores, 0, test.tiles), splits.train.specialists
