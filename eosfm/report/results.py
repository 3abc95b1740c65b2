"""Gathering the stages' results."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.results import EnergyRecord, read_result
from eosfm.encoding.result import ExportResult
from eosfm.evaluation.evidence import TaskEvidence, read_evidence
from eosfm.evaluation.result import BaselineResults, SelectionPath, TaskResult
from eosfm.kinds.scores import score01
from eosfm.params import Params
from eosfm.report.bootstrap import resample
from eosfm.training.result import TrainResult

DATA = ("download", "tile")
"""The stages of data/dvc.yaml."""
BASELINES = tuple(field.name for field in fields(BaselineResults))
MODELS = ("eosfm", *BASELINES)

R = TypeVar("R")


@dataclass(frozen=True)
class Results:
    """What every stage wrote, by item.

    Attributes:
        train: By specialist.
        export: The ensemble.
        evaluate: By task.
        selection: By task.
        baseline: By task.
        energy: One record per stage and item.
        evidence: By task, what each model's fits did on each test tile.
        resamples: By task and model, see :func:`eosfm.report.bootstrap.resample`.
    """

    train: dict[str, TrainResult]
    export: ExportResult
    evaluate: dict[str, TaskResult]
    selection: dict[str, SelectionPath]
    baseline: dict[str, BaselineResults]
    energy: list[EnergyRecord]
    evidence: dict[str, TaskEvidence]
    resamples: dict[str, dict[str, dict[str, np.ndarray]]]

    def of(self, model: str) -> dict[str, TaskResult]:
        """The results by task of ``eosfm`` or of a baseline."""
        if model == "eosfm":
            return self.evaluate
        return {task: getattr(result, model) for task, result in self.baseline.items()}

    def resampled(self, model: str, task: str) -> np.ndarray:
        """A model's 0-to-1 score on each resample of a task."""
        metric = self.of(model)[task].score_metric
        return np.clip(self.resamples[task][model][metric], 0, 1)

    def specialists(self) -> list[str]:
        """Those trained here, and those of an artifact that was brought along."""
        return list(dict.fromkeys([*self.train, *self.export.specialists]))

    def spent(self, name: str) -> float | None:
        """Energy of training one specialist, kWh; None where it is unknown."""
        of_training = (r for r in self.energy if (r.stage, r.item) == ("train", name))
        return next((record.kwh for record in of_training), None)

    def by_stage(self, of: Callable[[EnergyRecord], float]) -> dict[str, float]:
        """A sum over the items of each stage."""
        sums: dict[str, float] = {}
        for record in self.energy:
            sums[record.stage] = sums.get(record.stage, 0.0) + of(record)
        return sums

    def mean_score(self, model: str) -> float:
        """Mean over the tasks of the 0-to-1 score of ``eosfm`` or of a baseline."""
        return fmean(result.score for result in self.of(model).values())

    def constants(self) -> dict[str, float]:
        """By task, the 0-to-1 score of the best answer that ignores the image."""
        return {
            task: score01(result.score_metric, self.evidence[task].constant(result.score_metric))
            for task, result in self.evaluate.items()
        }


def collect(params: Params, results: Path) -> Results:
    """Read the results of everything that params.yaml names.

    Raises:
        EosfmError: A result is missing, or there is no task.
    """
    if not params.tasks:
        raise EosfmError("params.yaml names no task to report on; add one to tasks")

    def read(
        stage: str, items: Iterable[str], form: type[R], file: str = "metrics.json"
    ) -> dict[str, R]:
        pipeline = "data/dvc.yaml:" if stage in DATA else ""
        return {
            item: read_result(
                results / stage / item / file, form, f"{pipeline}{stage}@{item}".strip("@")
            )
            for item in items
        }

    # Datasets that nothing uses contribute no number, so they must not cause a new report.
    used = {entry.dataset for entry in params.specialists.values()}
    used |= {entry.dataset for entry in params.tasks.values()}
    stages: dict[str, Iterable[str]] = {
        **dict.fromkeys(DATA, tuple(name for name in params.datasets if name in used)),
        "start": ("",),
        "train": params.specialists,
        "export": ("",),
        **dict.fromkeys(("features", "evaluate", "baseline"), params.tasks),
    }
    evaluate = read("evaluate", params.tasks, TaskResult)
    baseline = read("baseline", params.tasks, BaselineResults)
    evidence = {task: _evidence(results, task) for task in params.tasks}
    energy = [read(stage, stages[stage], EnergyRecord, "energy.json") for stage in stages]
    return Results(
        train=read("train", params.specialists, TrainResult),
        export=read("export", ("",), ExportResult)[""],
        evaluate=evaluate,
        selection=read("evaluate", params.tasks, SelectionPath, "selection.json"),
        baseline=baseline,
        energy=[record for records in energy for record in records.values()],
        evidence=evidence,
        resamples={
            task: resample(
                params.seed, task, evidence[task],
                {"eosfm": evaluate[task], **vars(baseline[task])},
            )
            for task in params.tasks
        },
    )  # fmt: skip


def _evidence(results: Path, task: str) -> TaskEvidence:
    """Per-tile evidence of every model on a task, joined from the two stages that write it."""
    ours, theirs = (
        read_evidence(results / stage / task / "tiles.npz", f"{stage}@{task}")
        for stage in ("evaluate", "baseline")
    )
    return replace(ours, models={**ours.models, **theirs.models})
