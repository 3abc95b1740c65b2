"""Scoring one downstream task with the ensemble."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Splits
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.evaluation.feature_fusion import needs_maps
from eosfm.evaluation.fine_tune import fine_tune
from eosfm.evaluation.fit import Context, Keep, Log
from eosfm.evaluation.forward_selection import MOST, enough, select_forward
from eosfm.evaluation.head import choose_bands, run_head, selects
from eosfm.evaluation.late_fusion import pixel_voter
from eosfm.evaluation.result import SelectionPath, TaskResult
from eosfm.evaluation.trial import make_trials
from eosfm.features.encode import open_features
from eosfm.features.frozen import only
from eosfm.features.reading import read_split
from eosfm.features.store import FeatureStore
from eosfm.features.task import CLOSED_FORM, Task
from eosfm.params import Fusion


def evaluate_task(
    task: Task,
    fusion: Fusion,
    features: Path,
    artifact: Path,
    log: Log | None,
    checkpoints: Checkpoints | None = None,
    keep: Keep | None = None,
    path: SelectionPath | None = None,
) -> TaskResult:
    """Train fusion and head on a task's frozen features, and test the best epoch once.

    With ``protocol.fine_tune`` the encoders are trained as well, on images.

    Args:
        task: The task.
        fusion: How the specialists' pyramids become one.
        features: ``data/features/<task>``.
        artifact: The ensemble, for features that are not stored.
        log: Receives the score of each validated epoch of the first fit; None: nothing does.
        checkpoints: Where killed fits resume from.
        keep: Receives the best fit.
        path: Result of :func:`selection_path`; None computes it here if needed.

    Raises:
        EosfmError: ``fusion.ablate`` names no specialist, or leaves none.
    """
    context = Context(log, checkpoints, keep)
    members = remaining(FeatureStore.open(features), fusion.ablate)
    learns = task.head not in CLOSED_FORM
    if learns and fusion.selection == "forward" and selects(fusion, len(members)):
        path = path or selection_path(task, fusion, features, artifact)
        members, fusion = settled(fusion, path)
    if task.protocol.fine_tune:
        return fine_tune(task, fusion, artifact, members, context)
    opened = open_features(task, features, artifact, needs_maps(fusion, task))
    splits = only(opened, members)
    (first,) = make_trials(task, splits.train.some_targets(), 1)
    voter = pixel_voter(first, Splits.of(partial(read_split, task)))
    return run_head(task, fusion, splits, task.protocol.seeds, replace(context, voter=voter))


def selection_path(
    task: Task, fusion: Fusion, features: Path, artifact: Path, memory: Checkpoints | None = None
) -> SelectionPath:
    """The specialists that forward selection adds first, and the R2 after each.

    Stops at :data:`MOST`, or at the number that the fusion keeps if that is larger.

    Args:
        task: The task.
        fusion: Says which specialists there are to choose from, and whether bands are beside them.
        features: ``data/features/<task>``.
        artifact: The ensemble, for features that are not stored.
        memory: Where the last path is kept: most settings of a fusion do not change it.
    """
    members = remaining(FeatureStore.open(features), fusion.ablate)
    splits = only(open_features(task, features, artifact), members)
    splits = choose_bands(fusion, splits)
    (trial,) = make_trials(task, splits.train.some_targets(), 1)
    count = max(MOST, fusion.limit or 0)
    kept = memory and memory.of("selection", trial.settings(), members, fusion.spectral, count)
    if kept and (known := kept.read()):
        return SelectionPath(**known)
    found = select_forward(splits.train, splits.val, trial, count)
    path = SelectionPath(tuple(found), tuple(found.values()))
    if memory and kept:
        memory.clear()
        kept.write(asdict(path))
    return path


def settled(fusion: Fusion, path: SelectionPath) -> tuple[list[str], Fusion]:
    """The specialists that forward selection takes, and a fusion that selects no further."""
    if fusion.max_encoders == "auto":
        found = enough(dict(zip(path.specialists, path.explained, strict=True)))
        return found, fusion.model_copy(update={"max_encoders": None})
    return list(path.specialists[: fusion.limit]), fusion


def remaining(store: FeatureStore, ablate: Sequence[str]) -> list[str]:
    """The specialists that a task can use, without those to leave out."""
    members = list(dict.fromkeys(spec.name for spec in store.inputs if not spec.spectral))
    for name in ablate:
        if name not in members and name not in store.skipped:
            valid = [*members, *store.skipped]
            raise EosfmError(f"fusion.ablate has {name!r}, no specialist; {suggest(name, valid)}")
    kept = [name for name in members if name not in ablate]
    if not kept:
        raise EosfmError("fusion.ablate leaves no specialist; keep at least one")
    return kept
