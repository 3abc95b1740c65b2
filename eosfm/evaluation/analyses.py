"""Ablations of the ensemble's score on a task: number of specialists, which ones, label share.

Every fit uses the task's protocol and first seed, and the fixed fusion of the baselines. Fits by
number and by label share use the task's head, so they compare with the baselines. Each specialist
takes two fits (alone, and left out), so these are shorter and have a linear head.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from eosfm.core.splits import Splits
from eosfm.evaluation.baselines import FIXED, from_scratch
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.evaluation.feature_fusion import needs_maps
from eosfm.evaluation.fit import Context
from eosfm.evaluation.head import run_head
from eosfm.evaluation.late_fusion import PixelVoter, pixel_voter
from eosfm.evaluation.result import AnalysisResult, TaskResult
from eosfm.evaluation.trial import make_trials, run_fits
from eosfm.features.encode import open_features
from eosfm.features.frozen import FrozenFeatures, only
from eosfm.features.labels import strata, stratified_share
from eosfm.features.reading import Reading, image_split, read_split
from eosfm.features.task import Task

COUNTS = (1, 2, 3, 5, 10)
"""Numbers of specialists, beside all of them."""

FRACTIONS = (0.1, 0.5, 1.0)
"""Shares of the labelled training tiles, as in PANGAEA (arXiv 2412.04204)."""

SHORTER = 2
"""Divisor of the protocol's epochs in fits that compare single specialists."""


def analyse_task(
    task: Task,
    backbone: str,
    features: Path,
    artifact: Path,
    max_gb: float,
    checkpoints: Checkpoints | None = None,
) -> AnalysisResult:
    """Run the ablations of one task.

    Args:
        task: The task.
        backbone: What is trained from scratch, by timm's name.
        features: ``data/features/<task>``.
        artifact: The ensemble, for features that are not stored.
        max_gb: As for :func:`eosfm.evaluation.baselines.run_baselines`.
        checkpoints: Where killed fits resume from.
    """
    splits = open_features(task, features, artifact, needs_maps(FIXED, task))
    members = splits.train.specialists
    short = task.with_linear_head(epochs=max(1, task.protocol.epochs // SHORTER))
    alone = {member: [member] for member in members}
    without = {member: [other for other in members if other != member] for member in members}
    readings = Splits.of(partial(read_split, task))
    context = Context(checkpoints=checkpoints)
    ensemble, scratch = _by_labels(task, backbone, splits, readings, max_gb, context)
    voted = replace(context, voter=_voter(task, readings))
    return AnalysisResult(
        counts=_by_count(task, splits, len(members), voted),
        whole=run_head(short, FIXED, splits, 1, context),
        alone=_by_team(short, splits, alone, "alone", context),
        without=_by_team(short, splits, without, "without", context),
        labels=ensemble,
        scratch=scratch,
    )


def _voter(task: Task, readings: Splits[Reading]) -> PixelVoter | None:
    """The pixel model for late fusion, fitted on these labelled tiles; None without late fusion."""
    (trial,) = make_trials(task, image_split(readings.train).some_targets(), 1)
    return pixel_voter(trial, readings)


def _by_count(
    task: Task, splits: Splits[FrozenFeatures], members: int, context: Context
) -> dict[str, TaskResult]:
    """Result by number of selected specialists, and with ``all`` of them."""
    limits = {"all": None} | {str(count): count for count in COUNTS if count < members}

    def limited(limit: int | None) -> TaskResult:
        fusion = FIXED.model_copy(update={"max_encoders": limit})
        return run_head(task, fusion, splits, 1, context)

    return run_fits({name: partial(limited, limit) for name, limit in limits.items()})


def _by_team(
    task: Task,
    splits: Splits[FrozenFeatures],
    teams: Mapping[str, Sequence[str]],
    progress: str,
    context: Context,
) -> dict[str, TaskResult]:
    """The result of each team of specialists; empty teams are skipped."""
    return {
        name: run_head(task, FIXED, only(splits, team), 1, context)
        for name, team in tqdm(teams.items(), progress, unit="fit", disable=None, leave=False)
        if team
    }


def _by_labels(
    task: Task,
    backbone: str,
    splits: Splits[FrozenFeatures],
    readings: Splits[Reading],
    max_gb: float,
    context: Context,
) -> list[dict[str, TaskResult]]:
    """The ensemble and a backbone from scratch, by stratified share of the labelled tiles."""
    labelled = readings.train.indices
    groups = strata(task.store, "train", task.strata)[labelled]
    (seed,) = task.fit_seeds(1)
    shares = {f"{part:g}": stratified_share(groups, part, seed, task.strata) for part in FRACTIONS}

    fewer = {
        share: replace(readings, train=replace(readings.train, indices=labelled[tiles]))
        for share, tiles in shares.items()
    }
    contexts = {share: replace(context, voter=_voter(task, some)) for share, some in fewer.items()}

    def ensemble(share: str) -> TaskResult:
        some = replace(splits, train=splits.train.take(shares[share]))
        return run_head(task, FIXED, some, 1, contexts[share])

    def scratch(share: str) -> TaskResult:
        return from_scratch(task, backbone, fewer[share], 1, max_gb, contexts[share])

    jobs = {
        (rival, share): partial(rival, share) for rival in (scratch, ensemble) for share in shares
    }
    results = run_fits(jobs)
    return [{share: results[rival, share] for share in shares} for rival in (ensemble, scratch)]
