"""The baselines: random and start weights, best single specialist, from scratch, pixel statistics.

Each baseline uses the head, protocol, labels and seeds of the evaluation (the first
``protocol.baseline_seeds`` of them), and one fixed fusion (1x1 convolution over all pyramids), so
that it does not depend on ``fusion.*``. It gets the bands themselves besides the features
(``fusion.spectral``), also where it is trained from scratch, so that a lead over it measures what
the specialists add.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from eosfm.core.bands import find
from eosfm.core.splits import Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.encoder import EnsembleEncoder
from eosfm.encoding.input import SPECTRAL
from eosfm.encoding.randomize import randomize
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.evaluation.feature_fusion import needs_maps
from eosfm.evaluation.fine_tune import trainable
from eosfm.evaluation.fit import ALONE, Context, fit_all
from eosfm.evaluation.head import choose, fit_head, run_head, selects
from eosfm.evaluation.late_fusion import PixelVoter, fuses_late
from eosfm.evaluation.linear_baseline import best_linear, linear_baseline
from eosfm.evaluation.probe import EndToEnd
from eosfm.evaluation.result import BaselineResults, Fit, TaskResult
from eosfm.evaluation.single import best_single
from eosfm.evaluation.summary import summarise
from eosfm.evaluation.trial import Trial, make_trials, run_fits, seeded
from eosfm.features.encode import (
    live_features,
    open_features,
    scratch_features,
    task_encoder,
)
from eosfm.features.reading import Reading, image_split, read_split
from eosfm.features.task import CLOSED_FORM, Task, TaskInput
from eosfm.nn.backbone import build_backbone
from eosfm.nn.specialist import Specialist, load_specialist
from eosfm.nn.start import started_weights
from eosfm.params import Fusion

FIXED = Fusion(
    method="conv1x1",
    width_multiplier=1.0,
    normalize="pixel",
    projection=False,
    max_encoders="auto",
    selection="forward",
    scale_features=False,
    spectral=True,
    ablate=(),
)

ALL = FIXED.model_copy(update={"max_encoders": None})
"""The fixed fusion for specialists that are already selected."""


def run_baselines(
    task: Task,
    backbone: str,
    features: Path,
    artifact: Path,
    start: Path,
    max_gb: float,
    checkpoints: Checkpoints | None = None,
) -> BaselineResults:
    """Score every baseline of a task.

    Args:
        task: The task.
        backbone: What is trained from scratch, by timm's name.
        features: ``data/features/<task>``.
        artifact: The ensemble.
        start: A specialist file of the weights that specialists begin with.
        max_gb: Features of other weights that need more room are encoded as they are read.
        checkpoints: Where killed fits resume from.
    """
    count = task.protocol.baseline_seeds
    readings = Splits.of(partial(read_split, task))
    splits = open_features(task, features, artifact, needs_maps(FIXED, task))
    # Built before the jobs start: building draws random numbers, which jobs must not do together.
    started = task_encoder(task, [adapted(load_specialist(start), task)])
    (trial,) = make_trials(task, splits.train.some_targets(), 1)
    linear, val = best_linear(trial, readings)
    voter = PixelVoter(linear, readings.val, readings.test) if fuses_late(task) else None
    context = Context(checkpoints=checkpoints, voter=voter)
    jobs: dict[str, Callable[[], TaskResult]] = {
        "scratch": partial(from_scratch, task, backbone, readings, count, max_gb, context),
        "single": partial(best_single, task, FIXED, splits, count, context),
        "random": partial(random_weights, task, artifact, readings, count, max_gb, context),
        "start": partial(start_weights, task, started, readings, count, max_gb, context),
        "statistics": partial(linear_baseline, trial, linear, val, readings),
    }
    return BaselineResults(**run_fits(jobs))


def random_weights(
    task: Task,
    artifact: Path,
    readings: Splits[Reading],
    count: int,
    max_gb: float,
    context: Context = ALONE,
) -> TaskResult:
    """The task's head on the features of an ensemble that was never trained, drawn for each fit.

    Trained heads select specialists on features encoded on the fly; only the selected are stored.
    """
    pools = not needs_maps(FIXED, task)
    fits: list[Fit] = []
    used: list[str] = []
    for trial in make_trials(task, image_split(readings.train).some_targets(), count):
        with seeded(trial):
            encoder = task_encoder(task, randomize(load_artifact(artifact), trial.seed), copy=False)
        fusion = FIXED
        if task.head not in CLOSED_FORM:  # closed-form heads select while they solve
            live = readings.map(partial(live_features, encoder, pools))
            chosen = live.train.specialists
            if selects(FIXED, len(chosen)):
                chosen = choose(FIXED, live.train, live.val, trial)
            encoder, fusion = encoder.keep([*chosen, SPECTRAL]), ALL
        with scratch_features(encoder, readings, max_gb, pools) as splits:
            done, chosen = fit_head([trial], fusion, splits, context, "random weights")
        fits += done
        used = used or chosen  # each fit has its own random ensemble: report the first selection
    return summarise(task, fits, len(readings.train.indices), used)


def start_weights(
    task: Task,
    encoder: EnsembleEncoder,
    readings: Splits[Reading],
    count: int,
    max_gb: float,
    context: Context = ALONE,
) -> TaskResult:
    """The task's head on the features of one backbone that has not specialised on anything."""
    with scratch_features(encoder, readings, max_gb, not needs_maps(FIXED, task)) as splits:
        return run_head(task, FIXED, splits, count, context, "start weights")


def adapted(start: Specialist, task: TaskInput) -> Specialist:
    """The start weights as a specialist for a task's bands, as a training begins with them.

    Where the bands are those of the start weights, each gets its own, whatever their order.
    """
    own = start.bands or ()
    order = [find(name, own) for name in task.bands]
    places = list(range(len(order)))
    if None not in order and len(order) == len(own):
        places.sort(key=lambda at: own.index(str(order[at])))
    weights = started_weights(start, len(order))
    return _of_task(start.name, start.backbone, weights, task, places)


def _of_task(
    name: str, backbone: str, weights: Mapping[str, Tensor], task: TaskInput, places: Sequence[int]
) -> Specialist:
    """A specialist for a task's bands, in the order of these places, by the task's statistics."""
    bands, units = (tuple(values[at] for at in places) for values in (task.bands, task.units))
    stored = [task.store.usable(name) for name in bands]
    mean, std = (
        tuple(values[name] for name in stored) for values in (task.store.mean, task.store.std)
    )
    return Specialist(name, backbone, len(bands), weights, bands, units, mean, std)


def from_scratch(
    task: Task,
    backbone: str,
    readings: Splits[Reading],
    count: int,
    max_gb: float,
    context: Context = ALONE,
) -> TaskResult:
    """One backbone of the specialists' kind, trained on the task's labels alone.

    A head in closed form trains no backbone. A linear head on the backbone's features does, and
    then the task's own head gets them and the bands.
    """
    closed, places = task.head in CLOSED_FORM, range(len(task.bands))
    encoders: dict[int, Any] = {}

    def specialist(trial: Trial) -> Specialist:
        return _of_task("scratch", backbone, encoders[trial.seed].state_dict(), task, places)

    def build(trial: Trial) -> EndToEnd:
        fresh: Any = build_backbone(backbone, len(places), pretrained=False)
        encoders[trial.seed] = fresh
        if closed:
            return EndToEnd(fresh, fresh.feature_info.channels(), trial)
        beside_bands = trainable(task, [specialist(trial)], ALL)
        return EndToEnd(beside_bands, beside_bands.out_channels, trial)

    splits = readings.map(image_split)
    learns = task.with_linear_head() if closed else task
    trials = make_trials(learns, splits.train.some_targets(), count)
    done = fit_all(build, splits, trials, context, ("from scratch", backbone))
    if closed:
        done = []
        for trial in trials:
            encoder = task_encoder(task, [specialist(trial)], copy=False)
            with scratch_features(encoder, readings, max_gb, not needs_maps(FIXED, task)) as stored:
                done += fit_head([replace(trial, task=task)], FIXED, stored, context)[0]
    return summarise(task, done, len(splits.train))
