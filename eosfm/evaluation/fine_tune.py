"""Fine-tuning: the encoders are trained along with fusion and head, on images."""

from collections.abc import Sequence
from pathlib import Path

from eosfm.core.results import TaskResult
from eosfm.core.splits import Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.evaluation.fit import Keep, Log, fit_all
from eosfm.evaluation.head import choose
from eosfm.evaluation.probe import EndToEnd, build_fuser
from eosfm.evaluation.summary import summarise
from eosfm.evaluation.trial import Trial, make_trials
from eosfm.features.encode import live_features, task_encoder
from eosfm.features.reading import ImageSplit, read_split
from eosfm.features.task import Task
from eosfm.model import EosFM
from eosfm.params import Fusion


def fine_tune(
    task: Task,
    fusion: Fusion,
    artifact: Path,
    members: Sequence[str],
    log: Log,
    keep: Keep | None = None,
) -> TaskResult:
    """Train the whole ensemble on a task, and test the best epoch once.

    Args:
        task: The task.
        fusion: How the specialists' pyramids become one.
        artifact: The ensemble.
        members: The specialists to start with.
        log: Receives each epoch's validation score in the first fit.
        keep: Receives the best fit.
    """
    specialists = [s for s in load_artifact(artifact) if s.name in members]
    splits = Splits.of(lambda split: ImageSplit(read_split(task, split)))
    trials = make_trials(task, splits.train.targets, task.protocol.seeds)
    limit = fusion.max_encoders
    if fusion.selection == "forward" and limit is not None and limit < len(members):
        encoder = task_encoder(task, specialists)
        train, val = (live_features(encoder, s.reading) for s in (splits.train, splits.val))
        chosen = choose(fusion, train, val, trials[0])
        specialists = [s for s in specialists if s.name in chosen]
    backbones: dict[int, EosFM] = {}

    def build(trial: Trial) -> EndToEnd:
        encoder = task_encoder(task, specialists, freeze=False)
        backbone = backbones[trial.seed] = EosFM(encoder, build_fuser(fusion, encoder.inputs))
        return EndToEnd(backbone, backbone.out_channels, trial)

    done = fit_all(build, splits, trials, log, keep)
    selected = backbones[trials[0].seed].selected  # each fit may choose others: the first tells
    return summarise(task, done, len(splits.train.targets), selected)
