"""Fine-tuning: the encoders are trained along with fusion and head, on images."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from eosfm.core.splits import Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.evaluation.fit import Context, fit_all
from eosfm.evaluation.late_fusion import pixel_voter
from eosfm.evaluation.probe import EndToEnd, build_fuser
from eosfm.evaluation.result import TaskResult
from eosfm.evaluation.summary import summarise
from eosfm.evaluation.trial import Trial, make_trials
from eosfm.features.encode import task_encoder
from eosfm.features.reading import image_split, read_split
from eosfm.features.task import Task
from eosfm.model import EosFM
from eosfm.nn.specialist import Specialist
from eosfm.params import Fusion


def fine_tune(
    task: Task,
    fusion: Fusion,
    artifact: Path,
    members: Sequence[str],
    context: Context,
) -> TaskResult:
    """Train the whole ensemble on a task, and test the best epoch once.

    Args:
        task: The task.
        fusion: How the specialists' pyramids become one.
        artifact: The ensemble.
        members: The specialists to start with, as forward selection leaves them.
        context: What goes along; late fusion is added here.
    """
    specialists = [s for s in load_artifact(artifact) if s.name in members]
    readings = Splits.of(partial(read_split, task))
    splits = readings.map(image_split)
    trials = make_trials(task, splits.train.some_targets(), task.protocol.seeds)
    backbones: dict[int, EosFM] = {}

    def build(trial: Trial) -> EndToEnd:
        backbone = backbones[trial.seed] = trainable(task, specialists, fusion)
        return EndToEnd(backbone, backbone.out_channels, trial)

    members = [specialist.name for specialist in specialists]
    decisive = ("fine_tune", fusion, members)
    context = replace(context, voter=pixel_voter(trials[0], readings))
    done = fit_all(build, splits, trials, context, decisive)
    selected = backbones[trials[0].seed].selected  # each fit may choose others: the first tells
    return summarise(task, done, len(splits.train), selected)


def trainable(task: Task, specialists: Sequence[Specialist], fusion: Fusion) -> EosFM:
    """Encoders and fusion for a task's images, all of which learn."""
    encoder = task_encoder(task, specialists, freeze=False, spectral=fusion.spectral)
    return EosFM(encoder, build_fuser(fusion, encoder.inputs))
