"""The report's pictures, few and small: ``results/plots``."""

import csv
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from eosfm.params import Params
from eosfm.report.collect import BASELINES, Results
from eosfm.report.tables import write_csv

NAMES = {
    "eosfm": "EosFM",
    "random": "random weights",
    "single": "best single specialist",
    "scratch": "from scratch",
}
COLORS = {"eosfm": "#0b6e4f", "random": "#b8b8b8", "single": "#6b9ac4", "scratch": "#e0a458"}


def write_plots(params: Params, results: Results, live: Path, out: Path) -> None:
    """Write every picture, and ``scores.csv`` for ``dvc plots diff``.

    Args:
        params: All parameters.
        results: What the stages wrote.
        live: The curves that the training stages logged (``results/live``).
        out: Folder to fill.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = [
        [name, round(result["test"][result["metric"]], 4)]
        for name, result in results.evaluate.items()
    ]
    write_csv(out / "scores.csv", [["task", "score"], *rows])
    _save(_score_bars(params, results), out / "scores.png")
    _save(_training_curves(params, results, live), out / "training.png")
    _save(_selection_map(params, results), out / "selection.png")


def _score_bars(params: Params, results: Results) -> Figure:
    """Test score by task, beside every baseline's."""
    tasks = list(params.tasks)
    figure, axes = plt.subplots(figsize=(1.6 + 1.5 * len(tasks), 3.6), layout="constrained")
    width = 0.8 / (1 + len(BASELINES))
    for position, kind in enumerate(("eosfm", *BASELINES)):
        values = [_test_score(results, name, kind) for name in tasks]
        places = [i + (position - 1.5) * width for i in range(len(tasks))]
        bars = axes.bar(places, values, width, label=NAMES[kind], color=COLORS[kind])
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
    labels = [f"{name}\n({params.task(name).metric})" for name in tasks]
    axes.set_xticks(range(len(tasks)), labels, fontsize=8)
    axes.set_ylabel("test score")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _test_score(results: Results, task: str, kind: str) -> float:
    result = results.evaluate[task] if kind == "eosfm" else results.baseline[task][kind]
    return float(result["test"][results.evaluate[task]["metric"]])


def _training_curves(params: Params, results: Results, live: Path) -> Figure:
    """One small panel per specialist: training loss, and the validation score it is chosen by."""
    names = list(params.specialists)
    columns = min(5, len(names))
    rows = math.ceil(len(names) / columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(2.1 * columns, 1.6 * rows), layout="constrained", squeeze=False
    )
    for axes in grid.flat[len(names) :]:
        axes.axis("off")
    for name, axes in zip(names, grid.flat, strict=False):
        metric = results.train[name]["metric"]
        loss, score = _curve(live, name, "loss"), _curve(live, name, metric)
        axes.plot(*zip(*loss, strict=True), color="#888888", marker=".", linewidth=1)
        twin = axes.twinx()
        twin.plot(*zip(*score, strict=True), color=COLORS["eosfm"], marker=".", linewidth=1)
        axes.set_title(f"{name}\nloss, {metric}", fontsize=7)
        for side in (axes, twin):
            side.tick_params(labelsize=6)
            side.spines[["top"]].set_visible(False)
        axes.tick_params(axis="y", colors="#888888")
        twin.tick_params(axis="y", colors=COLORS["eosfm"])
    return figure


def _curve(live: Path, name: str, metric: str) -> list[tuple[int, float]]:
    path = live / f"train-{name}" / "plots" / "metrics" / f"{metric}.tsv"
    with path.open(newline="") as file:
        return [(int(p["step"]), float(p[metric])) for p in csv.DictReader(file, delimiter="\t")]


def _selection_map(params: Params, results: Results) -> Figure:
    """Which specialists each task uses: tasks across, specialists down."""
    names, tasks = list(params.specialists), list(params.tasks)
    grid = [[name in results.evaluate[task]["selected"] for task in tasks] for name in names]
    figure, axes = plt.subplots(
        figsize=(2.2 + 0.5 * len(tasks), 1.2 + 0.25 * len(names)), layout="constrained"
    )
    axes.imshow(grid, cmap="Greens", vmin=0, vmax=1.4, aspect="auto")
    axes.set_xticks(range(len(tasks)), tasks, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xticks([i - 0.5 for i in range(1, len(tasks))], minor=True)
    axes.set_yticks([i - 0.5 for i in range(1, len(names))], minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    axes.set_title("specialists in use", fontsize=9)
    return figure


def _save(figure: Figure, path: Path) -> None:
    # Without the software's name the bytes depend on what is drawn alone.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
