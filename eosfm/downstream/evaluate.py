"""Scoring one downstream task with the frozen ensemble."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from eosfm.downstream.features import feature_inputs, open_split
from eosfm.downstream.fit import Probe, fit, score
from eosfm.ensemble import Fuser
from eosfm.params import Params
from eosfm.seeds import derive_seed
from eosfm.tiles import TileStore


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
    task, protocol, fusion = params.task(name), params.current.protocol, params.fusion
    train, val, test = (
        open_split(params, name, store, features, artifact, split)
        for split in ("train", "val", "test")
    )
    seed = derive_seed(params.seed, "evaluate", name)
    torch.manual_seed(seed)
    fuser = Fuser(
        feature_inputs(features),
        fusion=fusion.method,
        width_multiplier=fusion.width_multiplier,
        normalize=fusion.normalize,
        projection=fusion.projection,
        max_encoders=fusion.max_encoders,
        selection=fusion.selection,
        scale_features=fusion.scale_features,
        ablate=fusion.ablate,
    )
    probe = Probe(fuser, store, task.head, protocol.decoder_channels, dates_of(store))
    scores, epoch = fit(
        probe, train, val, protocol, store, task.metric, train.size, seed, log=log, label=name
    )
    return {
        "metric": task.metric,
        "val": scores,
        "test": score(probe, test, protocol.batch_size, store, test.size),
        "best_epoch": epoch,
        "selected": list(fuser.selected),
        "labels": len(train),
    }


def dates_of(store: TileStore) -> int:
    """Number of dates of a store's images."""
    return int(store.split("train").image(0).shape[0])
