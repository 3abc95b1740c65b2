"""Results as the stages write them, for the project's own params."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from eosfm.core.files import write_json
from eosfm.core.results import EnergyRecord, write_result
from eosfm.encoding.result import ExportResult
from eosfm.evaluation.evidence import write_evidence
from eosfm.evaluation.result import BaselineResults, Fit, SelectionPath, TaskResult
from eosfm.params import Params, load_params
from eosfm.report.page import write_page
from eosfm.report.results import BASELINES, Results, collect
from eosfm.report.summary import summarise
from eosfm.training.result import TrainResult

ROOT = Path(__file__).parents[2]
COUNTS = np.array(
    [[[6, 0, 0], [0, 1, 0], [0, 0, 0]], [[0, 2, 0], [0, 3, 0], [0, 0, 0]]], dtype=np.int32
)
"""Of two tiles: a quarter of the land was taken for water; there is no ice."""

KINDS = {"rmse": "regression", "map": "multilabel", "f1": "change", "accuracy": "classification"}
"""Other metrics are those of segmentation."""

TILES = {
    "regression": np.array([[4, 8, 4, 40, 500], [4, 16, 8, 60, 950]], dtype=np.float64),
    "multilabel": np.array([[[2, 1], [0, 0], [-1, 0]], [[-1, 0], [0, 1], [1, 1]]], np.float32),
}
"""Where they are no counts."""

SCORES = dict.fromkeys(BASELINES, 0.15) | {"random": 0.1, "single": 0.2, "scratch": 0.3}


@pytest.fixture(scope="session")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def task_result(metric: str, score: float, selected: tuple[str, ...] = ()) -> TaskResult:
    """A result of one fit; errors in physical units score 0.4."""
    error = metric == "rmse"
    scores = {"rmse": 31.0, "r2": 0.4} if error else {metric: score}
    tiles = TILES.get(KINDS.get(metric, "segmentation"), COUNTS)
    return TaskResult(
        metric=metric,
        score=0.4 if error else score,
        score_metric="r2" if error else metric,
        val=scores,
        test=scores,
        spread=dict.fromkeys(scores, 0.01),
        per_class={},
        classes=("land", "water", "ice"),
        fits=(Fit(scores, scores, 1, tiles),) * 2,
        selected=selected,
        labels=40,
        train_tiles=160,
    )


def write_curves(folder: Path, metric: str) -> None:
    """A loss that falls and a score that rises, as DVCLive logs them."""
    curves = folder / "live" / "plots" / "metrics"
    curves.mkdir(parents=True)
    (curves / "loss.tsv").write_text("step\tloss\n1\t2.0\n2\t1.0\n")
    (curves / f"{metric}.tsv").write_text(f"step\t{metric}\n1\t0.5\n2\t0.6\n")


@pytest.fixture(scope="session")
def written(params, tmp_path_factory) -> Path:
    """What all stages wrote, to be read alone: see :func:`write_results`."""
    return write_results(params, tmp_path_factory.mktemp("written") / "results")


@pytest.fixture(scope="session")
def collected(params, written) -> Results:
    """The same, gathered."""
    return collect(params, written)


@pytest.fixture
def results(written, tmp_path) -> Path:
    """What all stages wrote, in a folder of the test's own."""
    return Path(shutil.copytree(written, tmp_path / "results"))


@pytest.fixture(scope="session")
def shown(params) -> Params:
    """All tasks and a few specialists: what a page shows, whose panels take long to draw."""
    few = dict(list(params.specialists.items())[:4])
    return params.model_copy(update={"specialists": few})


@pytest.fixture(scope="session")
def page(shown, tmp_path_factory) -> Path:
    """The page of such results, with a picture of one specialist and one of a task, and metrics."""
    results = write_results(shown, tmp_path_factory.mktemp("page") / "results")
    pixels = np.random.default_rng(0).integers(0, 255, (1200, 1400, 3)).astype(np.uint8)
    for stage, names in (("train", shown.specialists), ("evaluate", shown.tasks)):
        picture = results / stage / next(iter(names)) / "predictions.png"
        Image.fromarray(pixels).save(picture)
    collected = collect(shown, results)
    write_page(shown, collected, results, results / "report.html")
    write_json(results / "metrics.json", summarise(collected))
    return results / "report.html"


def write_results(params: Params, folder: Path) -> Path:
    """Scores 0.5 + 0.01 i by task; baselines as in SCORES; one Wh per stage."""
    names = tuple(params.specialists)
    trained = TrainResult(
        "miou", 0.6, 0.1, 2, {"miou": 0.6}, {"land": 0.7, "water": 0.5, "ice": None}
    )
    for name in names:
        write_result(folder / "train" / name / "metrics.json", trained)
        write_curves(folder / "train" / name, "miou")
    write_result(folder / "export" / "metrics.json", ExportResult(names, 33_900_000))
    for i, (name, task) in enumerate(params.tasks.items()):
        ours = task_result(task.metric, 0.5 + 0.01 * i, names[: 2 + i])
        write_result(folder / "evaluate" / name / "metrics.json", ours)
        path = SelectionPath(names[:3], (0.1, 0.2, 0.25))
        write_result(folder / "evaluate" / name / "selection.json", path)
        write_curves(folder / "evaluate" / name, f"val_{task.metric}")
        rivals = {kind: task_result(task.metric, score) for kind, score in SCORES.items()}
        write_result(folder / "baseline" / name / "metrics.json", BaselineResults(**rivals))
        kind = SimpleNamespace(name=KINDS.get(task.metric, "segmentation"))
        test = SimpleNamespace(sources=np.array(["a.tif", "b.tif"]))
        store = SimpleNamespace(split=lambda name, test=test: test)
        facts = SimpleNamespace(kind=kind, ignore_index=255, store=store)
        write_evidence(folder / "evaluate" / name / "tiles.npz", facts, {"eosfm": ours})
        write_evidence(folder / "baseline" / name / "tiles.npz", facts, rivals)
    items = {
        **dict.fromkeys(("download", "tile"), params.datasets),
        "start": ("",),
        "train": params.specialists,
        "export": ("",),
        **dict.fromkeys(("features", "evaluate", "baseline"), params.tasks),
    }
    for stage, item in ((stage, item) for stage, every in items.items() for item in every):
        record = EnergyRecord(stage, item, 36.0, 0.001, 0.0001, 1.5, "7-1000")
        write_result(folder / stage / item / "energy.json", record)
    return folder
