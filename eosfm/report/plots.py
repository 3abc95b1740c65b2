"""The report's pictures and curves, few and small: ``results/plots``."""

import csv
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

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
    """Write every picture and curve.

    Args:
        params: All parameters.
        results: What the stages wrote.
        live: The curves that the training stages logged (``results/live``).
        out: Folder to fill.
    """
    out.mkdir(parents=True, exist_ok=True)
    scores = _scores(params, results)
    write_csv(out / "scores.csv", [["task", "method", "score"], *scores])
    _score_bars(params, results, out / "scores.png")
    write_csv(out / "training.csv", [["specialist", "epoch", "loss"], *_curves(params, live)])
    if any(len(r["selected"]) < len(params.specialists) for r in results.evaluate.values()):
        _selection_map(params, results, out / "selection.png")
    else:
        (out / "selection.png").unlink(missing_ok=True)


def _scores(params: Params, results: Results) -> list[list[Any]]:
    rows = []
    for name in params.tasks:
        metric = params.task(name).metric
        rows.append([name, "EosFM", round(results.evaluate[name]["test"][metric], 4)])
        for kind in BASELINES:
            value = results.baseline[name][kind]["test"][metric]
            rows.append([name, NAMES[kind], round(value, 4)])
    return rows


def _score_bars(params: Params, results: Results, path: Path) -> None:
    tasks = list(params.tasks)
    figure, axes = plt.subplots(figsize=(1.6 + 1.5 * len(tasks), 3.6), layout="constrained")
    width = 0.8 / (1 + len(BASELINES))
    for position, kind in enumerate(("eosfm", *BASELINES)):
        values = [
            (results.evaluate[name] if kind == "eosfm" else results.baseline[name][kind])["test"][
                params.task(name).metric
            ]
            for name in tasks
        ]
        places = [i + (position - 1.5) * width for i in range(len(tasks))]
        bars = axes.bar(places, values, width, label=NAMES[kind], color=COLORS[kind])
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
    axes.set_xticks(
        range(len(tasks)), [f"{n}\n({params.task(n).metric})" for n in tasks], fontsize=8
    )
    axes.set_ylabel("test score")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _curves(params: Params, live: Path) -> list[list[Any]]:
    rows = []
    for name in params.specialists:
        path = live / f"train-{name}" / "plots" / "metrics" / "loss.tsv"
        with path.open(newline="") as file:
            points = list(csv.DictReader(file, delimiter="\t"))
        rows += [[name, int(p["step"]), round(float(p["loss"]), 5)] for p in points]
    return rows


def _selection_map(params: Params, results: Results, path: Path) -> None:
    """Which specialists each task kept: tasks across, specialists down."""
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
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
