"""Scoring one downstream task with the frozen ensemble."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from eosfm.downstream.features import feature_inputs, open_split
from eosfm.downstream.fit import Probe, Trial, fit, score
from eosfm.ensemble import Fuser
from eosfm.params import Params
from eosfm.seeds import derive_seed
from eosfm.tiles.store import TileStore


def evaluate_task(
    params: Params,
    name: str,
    store: TileStore,
    features: Path,
    artifact: Path,
    log: Callable[[dict[str, float], int], None],
) -> dict[str, Any]:
    """Train fusion and head on a task's frozen features, and test the best epoch once.

    Args:
        params: All parameters.
        name: The task.
        store: Its tiles.
        features: ``data/features/<task>``.
        artifact: The ensemble, for features that are not stored.
        log: Receives each epoch's validation score.

    Returns:
        ``val`` and ``test`` metrics, ``best_epoch``, the ``selected`` specialists, and the number
        of ``labels`` (training tiles).
    """
    task, fusion = params.task(name), params.fusion
    train, val, test = (
        open_split(params, name, store, features, artifact, split)
        for split in ("train", "val", "test")
    )
    trial = make_trial(params, name, store, train.size)
    torch.manual_seed(trial.seed)
    inputs = feature_inputs(features)
    for specialist in fusion.ablate:
        params.specialist(specialist)
    fed = {entry.name for entry in inputs}
    fuser = Fuser(
        inputs,
        fusion=fusion.method,
        width_multiplier=fusion.width_multiplier,
        normalize=fusion.normalize,
        projection=fusion.projection,
        max_encoders=fusion.max_encoders,
        selection=fusion.selection,
        scale_features=fusion.scale_features,
        # A specialist that this task cannot feed is out already.
        ablate=[specialist for specialist in fusion.ablate if specialist in fed],
    )
    probe = Probe(fuser, store, task.head, trial.protocol.decoder_channels, store.shape[0])
    scores, epoch = fit(probe, train, val, trial, log=log)
    return {
        "metric": task.metric,
        "val": scores,
        "test": score(probe, test, trial),
        "best_epoch": epoch,
        "selected": list(fuser.selected),
        "labels": len(train),
    }


def make_trial(params: Params, name: str, store: TileStore, size: tuple[int, int]) -> Trial:
    """The evaluation's setting, which the baselines share."""
    seed = derive_seed(params.seed, "evaluate", name)
    return Trial(name, store, params.task(name).metric, params.current.protocol, size, seed)
