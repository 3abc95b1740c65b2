"""Gathering the stages' results into the few numbers that stand in metrics.json."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from eosfm.core.results import EnergyRecord, read_result
from eosfm.encoding.result import ExportResult
from eosfm.evaluation.result import BaselineResults, TaskResult
from eosfm.params import Params
from eosfm.tracking import current_run
from eosfm.training.result import TrainResult

DATA = ("download", "tile")
"""The stages of data/dvc.yaml."""
BASELINES = tuple(field.name for field in fields(BaselineResults))

R = TypeVar("R")


@dataclass(frozen=True)
class Results:
    """What every stage wrote, by item.

    Attributes:
        train: By specialist.
        export: The ensemble.
        evaluate: By task.
        baseline: By task.
        energy: One record per stage and item.
    """

    train: dict[str, TrainResult]
    export: ExportResult
    evaluate: dict[str, TaskResult]
    baseline: dict[str, BaselineResults]
    energy: list[EnergyRecord]

    def of(self, model: str) -> dict[str, TaskResult]:
        """The results by task of ``eosfm`` or of a baseline."""
        if model == "eosfm":
            return self.evaluate
        return {task: getattr(result, model) for task, result in self.baseline.items()}

    def mean_score(self, model: str) -> float:
        """Mean over the tasks of the 0-to-1 score of ``eosfm`` or of a baseline."""
        return fmean(result.score for result in self.of(model).values())


def collect(params: Params, results: Path) -> Results:
    """Read the results of everything that params.yaml names.

    Raises:
        EosfmError: A result is missing.
    """

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

    stages: dict[str, Iterable[str]] = {
        **dict.fromkeys(DATA, params.datasets),
        "train": params.specialists,
        "export": ("",),
        **dict.fromkeys(("features", "evaluate", "baseline"), params.tasks),
    }
    energy = [read(stage, stages[stage], EnergyRecord, "energy.json") for stage in stages]
    return Results(
        train=read("train", params.specialists, TrainResult),
        export=read("export", ("",), ExportResult)[""],
        evaluate=read("evaluate", params.tasks, TaskResult),
        baseline=read("baseline", params.tasks, BaselineResults),
        energy=[record for records in energy for record in records.values()],
    )


def summarise(params: Params, results: Results) -> dict[str, float]:
    """The flat metrics: scores, baselines, ensemble size, energy; keys in a fixed order."""
    scores = {f"score.{task}": r.test[r.metric] for task, r in results.evaluate.items()}
    baselines = {f"baseline.{name}.mean": results.mean_score(name) for name in BASELINES}
    run = current_run()
    metrics = {
        **scores,
        "score.mean": results.mean_score("eosfm"),
        **baselines,
        "ensemble.specialists": len(results.export.specialists),
        "ensemble.active": fmean(len(r.selected) for r in results.evaluate.values()),
        "ensemble.params_m": results.export.parameters / 1e6,
        "energy.kwh": sum(r.kwh or 0.0 for r in results.energy),
        "energy.co2eq_kg": sum(r.co2eq_kg or 0.0 for r in results.energy),
        "energy.run_kwh": sum(r.kwh or 0.0 for r in results.energy if r.run == run),
        "energy.hours": sum(r.seconds for r in results.energy) / 3600,
    }
    # Significant digits, because energy spans orders of magnitude.
    return {key: float(f"{value:.5g}") for key, value in metrics.items()}
