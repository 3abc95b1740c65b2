"""What the ensemble must beat: random weights, its best member, training from scratch, pixels.

Each baseline uses the head, protocol, labels and seeds of the evaluation (the first
``protocol.baseline_seeds`` of them), and one fixed fusion (1x1 convolution over all pyramids), so
that it does not depend on ``fusion.*``.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.encoder import EnsembleEncoder
from eosfm.encoding.randomize import randomize
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.evaluation.feature_fusion import needs_maps
from eosfm.evaluation.fit import fit_all
from eosfm.evaluation.forward_selection import explained_alone, ranked
from eosfm.evaluation.head import run_head
from eosfm.evaluation.linear_baseline import linear_baseline
from eosfm.evaluation.probe import EndToEnd
from eosfm.evaluation.result import BaselineResults, TaskResult
from eosfm.evaluation.summary import summarise
from eosfm.evaluation.trial import Trial, make_trials, run_fits
from eosfm.features.encode import open_features, scratch_features, task_encoder
from eosfm.features.frozen import only
from eosfm.features.reading import Reading, image_split, read_split
from eosfm.features.task import Task
from eosfm.kinds.scores import better
from eosfm.nn.backbone import build_backbone
from eosfm.params import Fusion

FIXED = Fusion(
    method="conv1x1",
    width_multiplier=1.0,
    normalize="pixel",
    projection=False,
    max_encoders=None,
    selection="forward",
    scale_features=False,
    spectral=False,
    ablate=(),
)

CANDIDATES = 2
"""The best specialists alone, by :func:`eosfm.evaluation.forward_selection.explained_alone`, get
the whole protocol; of these the better one on the validation split counts."""


def run_baselines(
    task: Task,
    backbone: str,
    features: Path,
    artifact: Path,
    max_gb: float,
    checkpoints: Checkpoints | None = None,
) -> BaselineResults:
    """Score every baseline of a task.

    Args:
        task: The task.
        backbone: What is trained from scratch, by timm's name.
        features: ``data/features/<task>``.
        artifact: The ensemble.
        max_gb: Random features that need more room are encoded as they are read.
        checkpoints: Where killed fits resume from.
    """
    count = task.protocol.baseline_seeds
    readings = Splits.of(partial(read_split, task))
    splits = open_features(task, features, artifact, needs_maps(FIXED, task))
    (trial,) = make_trials(task, splits.train.some_targets(), 1)
    candidates = ranked(explained_alone(splits.train, splits.val, trial))[:CANDIDATES]
    # Before the jobs, of which no two may draw random numbers at a time.
    random = random_encoder(task, artifact)
    jobs: dict[str, Callable[[], TaskResult]] = {
        "scratch": partial(from_scratch, task, backbone, readings, count, checkpoints),
        "random": partial(random_weights, task, random, readings, count, max_gb, checkpoints),
        **{
            f"single {name}": partial(
                run_head, task, FIXED, only(splits, [name]), count, checkpoints=checkpoints
            )
            for name in candidates
        },
        "statistics": partial(linear_baseline, task, readings),
    }
    results = run_fits(jobs)
    best, *others = (results[f"single {name}"] for name in candidates)
    for other in others:
        if better(task.metric, other.val[task.metric], best.val[task.metric]):
            best = other
    return BaselineResults(results["random"], best, results["scratch"], results["statistics"])


def random_encoder(task: Task, artifact: Path) -> EnsembleEncoder:
    """The task's ensemble before any training."""
    specialists = randomize(load_artifact(artifact), derive_seed(task.seed, "random", task.name))
    return task_encoder(task, specialists, copy=False)


def random_weights(
    task: Task,
    encoder: EnsembleEncoder,
    readings: Splits[Reading],
    count: int,
    max_gb: float,
    checkpoints: Checkpoints | None = None,
) -> TaskResult:
    """The task's head on the features of an ensemble that was never trained."""
    with scratch_features(encoder, readings, max_gb, not needs_maps(FIXED, task)) as splits:
        return run_head(
            task, FIXED, splits, count, checkpoints=checkpoints, features="random weights"
        )


def from_scratch(
    task: Task,
    backbone: str,
    readings: Splits[Reading],
    count: int,
    checkpoints: Checkpoints | None = None,
) -> TaskResult:
    """One backbone of the specialists' kind, trained on the task's labels alone."""
    if task.head == "ridge":  # nothing to train by, and all is trained here
        task = task.with_linear_head()

    def build(trial: Trial) -> EndToEnd:
        fresh: Any = build_backbone(backbone, len(task.bands), pretrained=False)
        return EndToEnd(fresh, fresh.feature_info.channels(), trial)

    splits = readings.map(image_split)
    trials = make_trials(task, splits.train.some_targets(), count)
    decisive = ("from scratch", backbone)
    done = fit_all(build, splits, trials, checkpoints=checkpoints, decisive=decisive)
    return summarise(task, done, len(splits.train))
