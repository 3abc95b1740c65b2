"""Gathering the stages' results into the few numbers that stand in metrics.json."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eosfm.core.errors import EosfmError
from eosfm.params import Params
from eosfm.tracking import current_run

BASELINES = ("random", "single", "scratch", "statistics")


@dataclass(frozen=True)
class Results:
    """What every stage wrote, by item.

    Attributes:
        train: Validation metrics by specialist.
        evaluate: Result by task (see :func:`eosfm.evaluation.evaluate.evaluate_task`).
        baseline: By task, then by kind of baseline.
        energy: One record per stage and item.
    """

    train: dict[str, dict[str, Any]]
    evaluate: dict[str, dict[str, Any]]
    baseline: dict[str, dict[str, dict[str, Any]]]
    energy: list[dict[str, Any]]


def collect(params: Params, results: Path) -> Results:
    """Read the results of everything that params.yaml names.

    Raises:
        EosfmError: A result is missing.
    """
    stages: dict[str, Iterable[str]] = {
        "download": params.datasets,
        "tile": params.datasets,
        "train": params.specialists,
        "export": [""],
        "features": params.tasks,
        "evaluate": params.tasks,
        "baseline": params.tasks,
    }
    energy = [
        _read(results / stage / item / "energy.json", stage, item)
        for stage, items in stages.items()
        for item in items
    ]
    return Results(
        train=_metrics(results, "train", params.specialists),
        evaluate=_metrics(results, "evaluate", params.tasks),
        baseline=_metrics(results, "baseline", params.tasks),
        energy=energy,
    )


def _metrics(results: Path, stage: str, items: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {item: _read(results / stage / item / "metrics.json", stage, item) for item in items}


def _read(path: Path, stage: str, item: str) -> dict[str, Any]:
    if not path.exists():
        target = f"{stage}@{item}" if item else stage
        raise EosfmError(f"{path} not found; run `dvc repro {target}`")
    return json.loads(path.read_text())


def summarise(params: Params, results: Results, params_m: float) -> dict[str, float]:
    """The flat metrics: scores, baselines, ensemble size, energy; keys in a fixed order.

    Args:
        params: All parameters.
        results: What the stages wrote.
        params_m: Parameters of the ensemble in millions.
    """
    metrics: dict[str, float] = {}
    for name, result in results.evaluate.items():
        metrics[f"score.{name}"] = result["test"][result["metric"]]
    metrics["score.mean"] = mean_score(params, results.evaluate)
    for kind in BASELINES:
        of_kind = {name: results.baseline[name][kind] for name in params.tasks}
        metrics[f"baseline.{kind}.mean"] = mean_score(params, of_kind)
    active = {name for result in results.evaluate.values() for name in result["selected"]}
    metrics["ensemble.specialists"] = len(params.ensemble)
    metrics["ensemble.active"] = len(active)
    metrics["ensemble.params_m"] = params_m
    run = current_run()
    this_run = [record for record in results.energy if record["run"] == run]
    metrics["energy.kwh"] = _total(results.energy, "kwh")
    metrics["energy.co2eq_kg"] = _total(results.energy, "co2eq_kg")
    metrics["energy.run_kwh"] = _total(this_run, "kwh")
    metrics["energy.hours"] = _total(results.energy, "seconds") / 3600
    # Significant digits, because energy spans orders of magnitude.
    return {key: float(f"{value:.5g}") for key, value in metrics.items()}


def mean_score(params: Params, by_task: dict[str, dict[str, Any]]) -> float:
    """Mean over the tasks of the 0-to-1, higher-is-better form of each task's metric."""
    values = [comparable(params, name, result["test"]) for name, result in by_task.items()]
    return sum(values) / len(values)


def comparable(params: Params, task: str, test: dict[str, float]) -> float:
    """The 0-to-1, higher-is-better form of a task's headline metric."""
    from eosfm.kinds import score01

    metric = comparable_metric(params, task)
    return score01(metric, test[metric])


def comparable_metric(params: Params, task: str) -> str:
    """The metric behind :func:`comparable`: R2 stands for an error in physical units."""
    metric = params.task(task).metric
    return "r2" if metric == "rmse" else metric


def _total(records: list[dict[str, Any]], key: str) -> float:
    return float(sum(record[key] or 0.0 for record in records))
