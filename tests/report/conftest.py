"""Results as the stages write them, for the project's own params."""

from pathlib import Path

import pytest

from eosfm.core.files import write_json
from eosfm.params import Params, load_params

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture
def results(params, tmp_path) -> Path:
    """Scores 0.5 + 0.01 i by task; baselines 0.1, 0.2, 0.3, 0.15; one Wh per stage."""
    folder = tmp_path / "results"
    for name in params.specialists:
        write_json(
            folder / "train" / name / "metrics.json",
            {
                "metric": "miou",
                "miou": 0.6,
                "trivial": 0.1,
                "epoch": 2,
                "per_class": {"land": 0.7, "water": 0.5, "ice": None},
            },
        )
        curves = folder / "train" / name / "live" / "plots" / "metrics"
        curves.mkdir(parents=True)
        (curves / "loss.tsv").write_text("step\tloss\n1\t2.0\n2\t1.0\n")
        (curves / "miou.tsv").write_text("step\tmiou\n1\t0.5\n2\t0.6\n")
    names = list(params.specialists)
    for i, (name, task) in enumerate(params.tasks.items()):
        metric = task.metric
        extra = {"r2": 0.4} if metric == "rmse" else {}
        write_json(
            folder / "evaluate" / name / "metrics.json",
            {
                "metric": metric,
                "test": {metric: 0.5 + 0.01 * i, **extra},
                "spread": {metric: 0.01, **dict.fromkeys(extra, 0.02)},
                "selected": names[: 2 + i],
                "labels": 40,
            },
        )
        write_json(
            folder / "baseline" / name / "metrics.json",
            {
                kind: {"test": {metric: value, **extra}}
                for kind, value in (
                    ("random", 0.1),
                    ("single", 0.2),
                    ("scratch", 0.3),
                    ("statistics", 0.15),
                )
            },
        )
    items = {
        **dict.fromkeys(("download", "tile"), params.datasets),
        "train": params.specialists,
        **dict.fromkeys(("features", "evaluate", "baseline"), params.tasks),
    }
    stages = [f"{stage}-{item}" for stage, every in items.items() for item in every] + ["export"]
    for stage in stages:
        word, _, item = stage.partition("-")
        write_json(
            folder / word / item / "energy.json",
            {
                "stage": word,
                "item": item,
                "seconds": 36.0,
                "kwh": 0.001,
                "co2eq_kg": 0.0001,
                "peak_memory_gib": 1.5,
                "run": "earlier",
                "power": "estimated",
            },
        )
    return folder
