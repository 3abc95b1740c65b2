"""Scoring one downstream task with the ensemble."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch

from eosfm.catalog.spec import SPLITS
from eosfm.downstream.encoded import Encoded
from eosfm.downstream.features import (
    open_split,
    reading,
    task_backbone,
    task_dates,
)
from eosfm.downstream.fit import (
    Log,
    Training,
    Trial,
    make_trials,
    repeat,
    steps_per_epoch,
    summarise,
    task_loss,
)
from eosfm.downstream.images import Images
from eosfm.downstream.neighbours import score_neighbours
from eosfm.downstream.probe import EndToEnd, Probe, check_head
from eosfm.downstream.temporal import check_aggregation
from eosfm.ensemble import Fuser, InputSpec, load_artifact
from eosfm.ensemble.selection import Selection
from eosfm.errors import EosfmError
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
        What :func:`eosfm.downstream.fit.summarise` gives, the ``selected`` specialists, and the
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
    names = [spec.name for spec in splits[0].inputs if spec.name not in left_out]
    splits = [split.only(names) for split in splits]
    result = run_head(params.fusion, splits, trials, log)
    return {**result, "labels": len(splits[0].targets)}


def run_head(
    fusion: Fusion, splits: Sequence[Encoded], trials: Sequence[Trial], log: Log | None = None
) -> dict[str, Any]:
    """Score a task's head on frozen features: what :func:`summarise` gives, and ``selected``."""
    if trials[0].task.head == "knn":
        selected = list(dict.fromkeys(spec.name for spec in splits[0].inputs))
        result = _neighbours(splits, trials[0])
        if log is not None:  # no curve, but a point of one
            metric = result["metric"]
            log({f"val_{metric}": result["val"][metric]}, 0)
        return {**result, "selected": selected}
    ensemble = Ensemble(fusion, splits[0].inputs)
    return {**ensemble.fit(splits, trials, log), "selected": ensemble.selected}


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


class Ensemble:
    """The fits of one fusion on one task.

    Where only some specialists are wanted, they are chosen first, by a fit of the same model; every
    seed then starts afresh with the chosen ones.

    Attributes:
        selected: The specialists in use, once fitted.
    """

    def __init__(self, fusion: Fusion, inputs: Sequence[InputSpec]) -> None:
        self.fusion, self.inputs = fusion, inputs
        self.selected: list[str] = []
        self._choice: dict[str, Any] | None = None

    def fit(
        self, splits: Sequence[Encoded], trials: Sequence[Trial], log: Log | None
    ) -> dict[str, Any]:
        """Choose specialists where asked to, then fit and test."""
        torch.manual_seed(trials[0].seed)
        first = self.probe(trials[0])
        splits = [split.prepared(first.fusing.prepare) for split in splits]
        selection = first.fusing.fuser.selection
        if selection is not None:
            choose(selection, first, splits[0], trials[0])
            self._choice = selection.state_dict()
        self.selected = list(first.fusing.fuser.selected)
        return repeat(self.probe, splits, trials, log)

    def probe(self, trial: Trial) -> Probe:
        """A fresh model, its choice of specialists made where there is one."""
        names = {spec.name for spec in self.inputs}
        limit = self.fusion.max_encoders
        fuser = Fuser(
            self.inputs,
            fusion=self.fusion.method,
            width_multiplier=self.fusion.width_multiplier,
            normalize=self.fusion.normalize,
            projection=self.fusion.projection,
            # A task may be able to feed fewer than are asked for.
            max_encoders=None if limit is None else min(limit, len(names)),
            selection=self.fusion.selection,
            scale_features=self.fusion.scale_features,
        )
        if self._choice is not None and fuser.selection is not None:
            fuser.selection.load_state_dict(self._choice)
        return Probe(fuser, trial)


def choose(selection: Selection, probe: Probe, train: Encoded, trial: Trial) -> None:
    """Train until the probe's selection of specialists is settled, at most as long as a fit."""
    training = Training(probe, task_loss(trial, train.targets), trial, length=None)
    for _ in training.steps(train, trial.protocol.epochs * steps_per_epoch(trial, train), 0):
        if selection.settled:
            return
    selection.settle()


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
    splits = [Images(reading(params, name, store, split)) for split in SPLITS]
    probed = task_backbone(params, task, store, specialists)
    left_out = _left_out(params, probed.inputs)
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
            **fusion.model_dump(exclude={"method", "ablate"}),
        )
        built.append(EndToEnd(backbone, backbone.out_channels, trial))
        return built[-1]

    result = repeat(build, splits, trials, log)
    selected = cast(Any, built[0].backbone).selected
    return {**result, "selected": list(selected), "labels": len(splits[0].targets)}
