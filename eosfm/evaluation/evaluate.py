"""Scoring one downstream task with the ensemble."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.input import InputSpec
from eosfm.evaluation.fit import (
    Log,
    Training,
    Trial,
    make_trials,
    repeat,
    seeded,
    steps_per_epoch,
    summarise,
    task_loss,
)
from eosfm.evaluation.forward_selection import select_forward
from eosfm.evaluation.images import Images
from eosfm.evaluation.knn import score_neighbours
from eosfm.evaluation.probe import EndToEnd, Probe, check_head
from eosfm.features.frozen import Encoded
from eosfm.features.store import (
    live,
    open_split,
    reading,
    task_backbone,
    task_dates,
)
from eosfm.fusion.fuser import Fuser
from eosfm.fusion.selection import Selection
from eosfm.nn.temporal import check_aggregation
from eosfm.params import Fusion, Params
from eosfm.tiles.store import TileStore


def evaluate_task(
    params: Params, name: str, store: TileStore, features: Path, artifact: Path, log: Log
) -> dict[str, Any]:
    """Train fusion and head on a task's frozen features, and test the best epoch once.

    With ``protocol.fine_tune`` the encoders are trained as well, on images.

    Args:
        params: All parameters.
        name: The task.
        store: Its tiles.
        features: ``data/features/<task>``.
        artifact: The ensemble, for features that are not stored.
        log: Receives each epoch's validation score in the first fit.

    Returns:
        What :func:`eosfm.evaluation.fit.summarise` gives, the ``selected`` specialists, and the
        number of ``labels`` (training tiles).

    Raises:
        EosfmError: Head or aggregation do not fit the task.
    """
    check_task(params, name, store)
    trials = make_trials(params, name, store, params.current.protocol.seeds)
    if params.current.protocol.fine_tune:
        return _fine_tuned(params, name, store, artifact, trials, log)
    splits = [open_split(params, name, store, features, artifact, split) for split in SPLITS]
    left_out = _left_out(params, splits[0].inputs)
    names = [name for name in _names(splits[0].inputs) if name not in left_out]
    splits = [split.only(names) for split in splits]
    result = run_head(params.fusion, splits, trials, log)
    return {**result, "labels": len(splits[0].targets)}


def run_head(
    fusion: Fusion, splits: Sequence[Encoded], trials: Sequence[Trial], log: Log | None = None
) -> dict[str, Any]:
    """Score a task's head on frozen features: what :func:`summarise` gives, and ``selected``."""
    if trials[0].task.head == "knn":
        result = _neighbours(splits, trials[0])
        if log is not None:  # no curve, but a point of one
            metric = result["metric"]
            log({f"val_{metric}": result["val"][metric]}, 0)
        return {**result, "selected": _names(splits[0].inputs)}
    names = _names(splits[0].inputs)
    if fusion.max_encoders is not None and fusion.max_encoders < len(names):
        chosen = choose(fusion, splits[0], splits[1], trials[0])
        splits = [split.only(chosen) for split in splits]
    inputs = splits[0].inputs
    with seeded(trials[0]):
        prepare = build_probe(fusion, inputs, trials[0]).fusing.prepare
    splits = [split.prepared(prepare) for split in splits]
    result = repeat(lambda trial: build_probe(fusion, inputs, trial), splits, trials, log)
    return {**result, "selected": _names(inputs)}


def check_task(params: Params, name: str, store: TileStore) -> None:
    """Refuse settings that do not fit a task's data.

    Raises:
        EosfmError: One line saying what would.
    """
    task = params.task(name)
    check_head(task.head, store.kind, name)
    check_aggregation(task.aggregation, store.kind, len(task_dates(params, name, store)), name)


def _neighbours(splits: Sequence[Encoded], trial: Trial) -> dict[str, Any]:
    """The k-NN score; nothing is trained, so there is one fit and no best epoch."""
    train, val, test = splits
    scores = {s: score_neighbours(train, x, trial) for s, x in (("val", val), ("test", test))}
    return summarise([{**scores, "best_epoch": 0}], trial)


def choose(fusion: Fusion, train: Encoded, val: Encoded, trial: Trial) -> list[str]:
    """The ``fusion.max_encoders`` specialists that a task selects, by ``fusion.selection``.

    Selection by gates is a training of the same fusion with a linear head, which lasts until the
    choice is settled and at most a third of a fit. What the ways cost and give is in
    ``benchmarks/README.md``.
    """
    if fusion.selection == "forward":
        return select_forward(train, val, trial, cast(int, fusion.max_encoders))
    trial = trial.linear()
    with seeded(trial):
        probe = build_probe(fusion, train.inputs, trial)
    selection = cast(Selection, probe.fusing.fuser.selection)
    prepared = train.prepared(probe.fusing.prepare)
    training = Training(probe, task_loss(trial, train.targets), trial, length=None)
    length = -(-trial.protocol.epochs * steps_per_epoch(trial, train) // 3)
    for _ in training.steps(prepared, length, 0):
        if selection.settled:
            break
    selection.settle()
    return list(probe.fusing.fuser.selected)


def build_probe(fusion: Fusion, inputs: Sequence[InputSpec], trial: Trial) -> Probe:
    """A fresh model of a task's fusion, merging of dates and head."""
    limit = fusion.max_encoders
    fuser = Fuser(
        inputs,
        fusion=fusion.method,
        width_multiplier=fusion.width_multiplier,
        normalize=fusion.normalize,
        projection=fusion.projection,
        # A task may be able to feed fewer than are asked for.
        max_encoders=None if limit is None else min(limit, len(_names(inputs))),
        selection=fusion.gates,
        scale_features=fusion.scale_features,
    )
    return Probe(fuser, trial)


def _names(inputs: Sequence[InputSpec]) -> list[str]:
    """The specialists, each once."""
    return list(dict.fromkeys(spec.name for spec in inputs))


def _left_out(params: Params, inputs: Sequence[InputSpec]) -> list[str]:
    """``fusion.ablate`` without the specialists that the task cannot feed, which are out already.

    Raises:
        EosfmError: A name is no specialist, or none is left.
    """
    for specialist in params.fusion.ablate:
        params.specialist(specialist)
    fed = {spec.name for spec in inputs}
    ablate = [name for name in params.fusion.ablate if name in fed]
    if len(ablate) == len(fed):
        raise EosfmError("fusion.ablate leaves no specialist; keep at least one")
    return ablate


def _fine_tuned(
    params: Params,
    name: str,
    store: TileStore,
    artifact: Path,
    trials: Sequence[Trial],
    log: Log,
) -> dict[str, Any]:
    task, fusion = params.task(name), params.fusion
    specialists = load_artifact(artifact)
    sources = [reading(params, name, store, split) for split in SPLITS]
    probed = task_backbone(params, task, store, specialists)
    left_out = _left_out(params, probed.inputs)
    names = [name for name in _names(probed.inputs) if name not in left_out]
    limit = fusion.max_encoders
    if fusion.selection == "forward" and limit is not None and limit < len(names):
        train, val = (live(probed, source).only(names) for source in sources[:2])
        chosen = choose(fusion, train, val, trials[0])
        left_out = [name for name in _names(probed.inputs) if name not in chosen]
    splits = [Images(source) for source in sources]
    built: list[EndToEnd] = []

    def build(trial: Trial) -> EndToEnd:
        backbone = task_backbone(
            params,
            task,
            store,
            specialists,
            freeze=False,
            fusion=fusion.method,
            ablate=left_out,
            selection=fusion.gates,
            **fusion.model_dump(exclude={"method", "ablate", "selection"}),
        )
        built.append(EndToEnd(backbone, backbone.out_channels, trial))
        return built[-1]

    result = repeat(build, splits, trials, log)
    selected = cast(Any, built[0].backbone).selected
    return {**result, "selected": list(selected), "labels": len(splits[0].targets)}
