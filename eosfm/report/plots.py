"""The report's pictures, few and small: ``results/plots``."""

import csv
import math
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from eosfm.params import Params
from eosfm.report.results import BASELINES, Results, comparable, comparable_metric
from eosfm.report.tables import write_csv

NAMES = {
    "eosfm": "EosFM",
    "random": "random weights",
    "single": "best single specialist",
    "scratch": "from scratch",
    "statistics": "pixel statistics",
}
COLORS = {
    "eosfm": "#0b6e4f",
    "random": "#b8b8b8",
    "single": "#6b9ac4",
    "scratch": "#e0a458",
    "statistics": "#8f6bb3",
}


def write_plots(params: Params, results: Results, train: Path, out: Path) -> None:
    """Write every picture, and ``scores.csv`` for ``dvc plots diff``.

    Args:
        params: All parameters.
        results: What the stages wrote.
        train: The results of the training stages, curves among them (``results/train``).
        out: Folder to fill.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = [
        [name, round(comparable(params, name, result["test"]), 4)]
        for name, result in results.evaluate.items()
    ]
    write_csv(out / "scores.csv", [["task", "score"], *rows])
    save(_score_dots(params, results), out / "scores.png")
    save(_training_curves(params, results, train), out / "training.png")
    save(_selection_map(params, results), out / "selection.png")


def _score_dots(params: Params, results: Results) -> Figure:
    """Test score by task, beside every baseline's; the bar is the spread between fits."""
    tasks = list(params.tasks)
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.32 * len(tasks)), layout="constrained")
    rows = range(len(tasks))
    for kind in reversed(("eosfm", *BASELINES)):
        of_kind = [_of_kind(results, name, kind) for name in tasks]
        values = [
            comparable(params, name, result["test"])
            for name, result in zip(tasks, of_kind, strict=True)
        ]
        if kind == "eosfm":
            spread = [
                result["spread"][comparable_metric(params, name)]
                for name, result in zip(tasks, of_kind, strict=True)
            ]
            axes.errorbar(values, rows, xerr=spread, fmt="none", color=COLORS[kind], linewidth=1)
        axes.scatter(
            values, rows, s=70 if kind == "eosfm" else 32, color=COLORS[kind], label=NAMES[kind],
            zorder=3 if kind == "eosfm" else 2,
        )  # fmt: skip
    labels = [f"{name} ({comparable_metric(params, name)})" for name in tasks]
    axes.set_yticks(rows, labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("test score")
    axes.grid(axis="y", color="#eeeeee")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], names[::-1], fontsize=7, frameon=False, ncols=len(names),
        loc="lower center", bbox_to_anchor=(0.4, 1.0), columnspacing=1, handletextpad=0.2,
    )  # fmt: skip
    return figure


def _of_kind(results: Results, task: str, kind: str) -> dict[str, Any]:
    return results.evaluate[task] if kind == "eosfm" else results.baseline[task][kind]


def _training_curves(params: Params, results: Results, train: Path) -> Figure:
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
        loss, score = _curve(train, name, "loss"), _curve(train, name, metric)
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


def _curve(train: Path, name: str, metric: str) -> list[tuple[int, float]]:
    path = train / name / "live" / "plots" / "metrics" / f"{metric}.tsv"
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


def save(figure: Figure, path: Path) -> None:
    """Write a picture whose bytes depend on what is drawn alone, and free it."""
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
