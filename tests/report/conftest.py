"""Results as the stages write them, for the project's own params."""

from pathlib import Path

import pytest

from eosfm.core.results import EnergyRecord, write_result
from eosfm.encoding.result import ExportResult
from eosfm.evaluation.result import BaselineResults, TaskResult
from eosfm.params import Params, load_params
from eosfm.training.result import TrainResult

ROOT = Path(__file__).parents[2]
SCORES = {"random": 0.1, "single": 0.2, "scratch": 0.3, "statistics": 0.15}


@pytest.fixture(scope="session")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def task_result(metric: str, score: float, selected: tuple[str, ...] = ()) -> TaskResult:
    """A result of one fit; errors in physical units score 0.4."""
    error = metric == "rmse"
    scores = {"rmse": 31.0, "r2": 0.4} if error else {metric: score}
    return TaskResult(
        metric=metric,
        score=0.4 if error else score,
        score_metric="r2" if error else metric,
        val=scores,
        test=scores,
        spread=dict.fromkeys(scores, 0.01),
        per_class={},
        fits=(),
        selected=selected,
        labels=40,
    )


@pytest.fixture
def results(params, tmp_path) -> Path:
    """Scores 0.5 + 0.01 i by task; baselines as in SCORES; one Wh per stage."""
    folder = tmp_path / "results"
    names = tuple(params.specialists)
    trained = TrainResult(
        "miou", 0.6, 0.1, 2, {"miou": 0.6}, {"land": 0.7, "water": 0.5, "ice": None}
    )
    for name in names:
        write_result(folder / "train" / name / "metrics.json", trained)
        curves = folder / "train" / name / "live" / "plots" / "metrics"
        curves.mkdir(parents=True)
        (curves / "loss.tsv").write_text("step\tloss\n1\t2.0\n2\t1.0\n")
        (curves / "miou.tsv").write_text("step\tmiou\n1\t0.5\n2\t0.6\n")
    write_result(folder / "export" / "metrics.json", ExportResult(names, 33_900_000))
    for i, (name, task) in enumerate(params.tasks.items()):
        ours = task_result(task.metric, 0.5 + 0.01 * i, names[: 2 + i])
        write_result(folder / "evaluate" / name / "metrics.json", ours)
        rivals = {kind: task_result(task.metric, score) for kind, score in SCORES.items()}
        write_result(folder / "baseline" / name / "metrics.json", BaselineResults(**rivals))
    items = {
        **dict.fromkeys(("download", "tile"), params.datasets),
        "train": params.specialists,
        "export": ("",),
        **dict.fromkeys(("features", "evaluate", "baseline"), params.tasks),
    }
    for stage, item in ((stage, item) for stage, every in items.items() for item in every):
        record = EnergyRecord(stage, item, 36.0, 0.001, 0.0001, 1.5, "earlier")
        write_result(folder / stage / item / "energy.json", record)
    return folder
