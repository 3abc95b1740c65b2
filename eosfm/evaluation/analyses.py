"""What the ensemble's score on one task is made of: how many specialists, which, how many labels.

Every fit uses the task's protocol and first seed and the baselines' fixed fusion. With the task's
head besides, figures can be compared with each other and with the baselines; specialists are
compared with each other by shorter fits of a linear head, since there are two for each of them.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from eosfm.core.splits import SPLITS
from eosfm.evaluation.baselines import FIXED, from_scratch
from eosfm.evaluation.evaluate import check_task, run_head
from eosfm.evaluation.fit import Trial, make_trials, run_fits
from eosfm.features.frozen import Encoded
from eosfm.features.labels import strata, stratified_share
from eosfm.features.store import Reading, open_split, reading
from eosfm.params import Params
from eosfm.tiles.store import TileStore

COUNTS = (1, 2, 3, 5, 10)
"""Numbers of specialists, beside all of them."""

FRACTIONS = (0.1, 0.5, 1.0)
"""Shares of the labelled training tiles, as in PANGAEA (arXiv 2412.04204)."""

SHORTER = 2
"""Fits that compare specialists with each other have this part of the protocol's epochs."""


def analyse_task(
    params: Params, name: str, store: TileStore, features: Path, artifact: Path
) -> dict[str, Any]:
    """Take one task's score apart.

    Args:
        params: All parameters.
        name: The task.
        store: Its tiles.
        features: ``data/features/<task>``.
        artifact: The ensemble, for features that are not stored.

    Returns:
        ``metric``, and test metrics of many fits: ``counts`` (by number of specialists: ``test``
        and the ``selected`` ones), ``labels`` (by share of the labels: ``tiles``, ``eosfm``,
        ``scratch``), and of short linear fits ``whole`` (all specialists), ``alone`` and
        ``without`` (by specialist: that one only, all but that one).
    """
    check_task(params, name, store)
    trials = make_trials(params, name, store, 1)
    sources = [reading(params, name, store, split) for split in SPLITS]
    splits = [open_split(params, name, store, features, artifact, split) for split in SPLITS]
    members = list(dict.fromkeys(spec.name for spec in splits[0].inputs))
    epochs = max(1, trials[0].protocol.epochs // SHORTER)
    short = [
        replace(trial.linear(), protocol=trial.protocol.model_copy(update={"epochs": epochs}))
        for trial in trials
    ]
    alone = {member: [member] for member in members}
    without = {member: [other for other in members if other != member] for member in members}
    return {
        "metric": trials[0].task.metric,
        "counts": _by_count(splits, trials, len(members)),
        "whole": run_head(FIXED, splits, short)["test"],
        "alone": _by_member(splits, short, alone, "alone"),
        "without": _by_member(splits, short, without, "without"),
        "labels": _by_labels(params, splits, sources, trials),
    }


def _by_count(
    splits: Sequence[Encoded], trials: Sequence[Trial], members: int
) -> dict[str, dict[str, Any]]:
    """Selection of so many specialists, and ``all`` of them."""
    limits = {"all": None} | {str(count): count for count in COUNTS if count < members}
    jobs = {
        name: partial(run_head, FIXED.model_copy(update={"max_encoders": limit}), splits, trials)
        for name, limit in limits.items()
    }
    return {
        name: {"test": result["test"], "selected": result["selected"]}
        for name, result in run_fits(jobs).items()
    }


def _by_member(
    splits: Sequence[Encoded],
    trials: Sequence[Trial],
    teams: dict[str, list[str]],
    progress: str,
) -> dict[str, dict[str, float]]:
    """Test metrics of each team of specialists; a team of nobody has none."""
    results = {}
    for name, team in tqdm(teams.items(), progress, unit="fit", disable=None, leave=False):
        if team:
            chosen = [split.only(team) for split in splits]
            results[name] = run_head(FIXED, chosen, trials)["test"]
    return results


def _by_labels(
    params: Params,
    splits: Sequence[Encoded],
    sources: Sequence[Reading],
    trials: Sequence[Trial],
) -> dict[str, dict[str, Any]]:
    """The ensemble and a backbone from scratch on a stratified share of the labelled tiles."""
    train = sources[0]
    groups = strata(trials[0].store, "train")[train.indices]
    shares = {f: stratified_share(groups, f, trials[0].seed) for f in FRACTIONS}

    def eosfm(tiles: np.ndarray) -> dict[str, Any]:
        return run_head(FIXED, [splits[0].take(tiles), *splits[1:]], trials)["test"]

    def scratch(tiles: np.ndarray) -> dict[str, Any]:
        fewer = replace(train, indices=train.indices[tiles])
        return from_scratch(params, [fewer, *sources[1:]], trials)["test"]

    jobs = {
        (name, fraction): partial(rival, tiles)
        for name, rival in (("scratch", scratch), ("eosfm", eosfm))
        for fraction, tiles in shares.items()
    }
    scores = run_fits(jobs)
    return {
        f"{fraction:g}": {
            "tiles": len(tiles),
            "eosfm": scores["eosfm", fraction],
            "scratch": scores["scratch", fraction],
        }
        for fraction, tiles in shares.items()
    }
