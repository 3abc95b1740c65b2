"""The analyses' pictures and tables: which specialists matter, how many, labels, energy."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from eosfm.core.errors import EosfmError
from eosfm.params import Params
from eosfm.report.plots import COLORS, save
from eosfm.report.results import comparable
from eosfm.report.tables import write_csv

SCORE_ROOM = 0.1
"""Smaller differences between means are those of single fits, and are not to fill the picture."""

LABEL_GAP = 0.022
"""Least distance of two tasks' names beside their curves, in score."""

Analyses = dict[str, dict[str, Any]]
"""What :func:`eosfm.evaluation.analyses.analyse_task` gave, by task."""


def write_analyses(params: Params, analyses: Path, train: Path, out: Path) -> str:
    """Write every picture of the analyses with its numbers as CSV.

    Args:
        params: All parameters.
        analyses: Folder with the results of each task.
        train: Folder with the results of each specialist.
        out: Folder to fill.

    Returns:
        One line for the stage's end.

    Raises:
        EosfmError: A task has not been analysed.
    """
    by_task = {name: _read(analyses / name / "metrics.json", name) for name in params.tasks}
    spent = {
        name: _read(train / name / "energy.json", name)["kwh"] or 0.0 for name in params.specialists
    }
    out.mkdir(parents=True, exist_ok=True)
    counts = by_count(params, by_task, spent)
    write_csv(out / "counts.csv", [list(counts[0]), *(list(row.values()) for row in counts)])
    save(_count_curves(params, by_task, counts), out / "counts.png")
    for part, title in (
        ("alone", "score of one specialist alone, less the score of all, linear heads"),
        ("without", "score of all, less the score without this specialist, linear heads"),
    ):
        grid = contributions(params, by_task, part)
        header = ["specialist", *params.tasks]
        rows = zip(params.specialists, grid.round(4).tolist(), strict=True)
        write_csv(out / f"{part}.csv", [header, *([name, *row] for name, row in rows)])
        save(_heat_map(params, grid, title), out / f"{part}.png")
    save(_choices(params, by_task), out / "choices.png")
    labels = by_labels(params, by_task)
    write_csv(out / "labels.csv", [list(labels[0]), *(list(row.values()) for row in labels)])
    save(_label_curves(params, labels), out / "labels.png")
    best = max(counts, key=lambda row: row["score"])
    return f"{len(by_task)} tasks; best mean score {best['score']:.3f} with {best['specialists']}"


def _read(path: Path, name: str) -> dict[str, Any]:
    if not path.exists():
        raise EosfmError(f"{path} of {name} not found; run `dvc repro analyses/dvc.yaml`")
    return json.loads(path.read_text())


def by_count(params: Params, analyses: Analyses, energy: dict[str, float]) -> list[dict[str, Any]]:
    """Mean score by number of specialists, and what training the chosen ones took."""
    # What every task has: one that can feed few specialists has fewer numbers.
    shared = set.intersection(*(set(result["counts"]) for result in analyses.values()))
    rows: list[dict[str, Any]] = []
    for count in sorted(shared, key=lambda name: (name == "all", name.zfill(4))):
        entries = {task: result["counts"][count] for task, result in analyses.items()}
        scores = [comparable(params, task, entry["test"]) for task, entry in entries.items()]
        spent = [sum(energy[name] for name in entry["selected"]) for entry in entries.values()]
        kwh = statistics.fmean(spent)
        rows.append(
            {
                "specialists": count,
                "score": round(statistics.fmean(scores), 4),
                "train_kwh": float(f"{kwh:.4g}"),
                "score_per_wh": float(f"{statistics.fmean(scores) / kwh / 1000:.4g}") if kwh else 0,
            }
        )
    return rows


def contributions(params: Params, analyses: Analyses, part: str) -> np.ndarray:
    """(specialists, tasks): ``alone`` minus all, or all minus ``without``; NaN where not fed."""
    sign = 1 if part == "alone" else -1
    grid = np.full((len(params.specialists), len(params.tasks)), np.nan)
    for column, (task, result) in enumerate(analyses.items()):
        every = comparable(params, task, result["whole"])
        for row, name in enumerate(params.specialists):
            if name in result[part]:
                grid[row, column] = sign * (comparable(params, task, result[part][name]) - every)
    return grid


def by_labels(params: Params, analyses: Analyses) -> list[dict[str, Any]]:
    """Task by task and share of labels: tiles, the ensemble's score, the score from scratch."""
    return [
        {
            "task": task,
            "share": float(share),
            "tiles": entry["tiles"],
            "eosfm": round(comparable(params, task, entry["eosfm"]), 4),
            "scratch": round(comparable(params, task, entry["scratch"]), 4),
        }
        for task, result in analyses.items()
        for share, entry in result["labels"].items()
    ]


def _count_curves(params: Params, analyses: Analyses, counts: Sequence[dict[str, Any]]) -> Figure:
    """Score against number of specialists, and against the energy of training them."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    places = range(len(counts))
    names = [row["specialists"] for row in counts]
    curves = {
        task: [comparable(params, task, result["counts"][name]["test"]) for name in names]
        for task, result in analyses.items()
    }
    means = [row["score"] for row in counts]
    for scores in curves.values():
        left.plot(places, scores, color="#c8c8c8", linewidth=1)
    left.plot(places, means, color=COLORS["eosfm"], marker="o", linewidth=2)
    curves["mean"] = means
    heights = spread([scores[-1] for scores in curves.values()], LABEL_GAP)
    for name, height in zip(curves, heights, strict=True):
        color = COLORS["eosfm"] if name == "mean" else "#888888"
        left.annotate(name, (places[-1], height), (5, 0), textcoords="offset points",
                      fontsize=5.5, color=color, va="center")  # fmt: skip
    left.set_xticks(places, names)
    left.set_xlim(-0.2, len(counts) - 0.2)
    left.set_xlabel("specialists in use")
    left.set_ylabel("test score, 0 to 1")
    right.plot(
        [row["train_kwh"] * 1000 for row in counts], means, color=COLORS["eosfm"], marker="o"
    )
    for row in counts:
        right.annotate(
            row["specialists"], (row["train_kwh"] * 1000, row["score"]), (4, -9),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    right.set_xlabel("energy of training the specialists in use, Wh")
    right.set_ylabel("mean test score")
    middle = (min(means) + max(means)) / 2
    room = max(SCORE_ROOM, max(means) - min(means)) * 0.6
    right.set_ylim(middle - room, middle + room)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """The heights, moved as far apart as their labels need, in the same order."""
    moved = np.array(heights, float)
    order = np.argsort(moved, kind="stable")
    for _ in range(len(moved) ** 2):
        distances = np.diff(moved[order])
        lacking = np.maximum(gap - distances, 0)
        if lacking.max(initial=0) < gap / 100:
            break
        moved[order[1:]] += lacking / 2
        moved[order[:-1]] -= lacking / 2
    return moved.tolist()


def _heat_map(params: Params, grid: np.ndarray, title: str) -> Figure:
    """Specialists down, tasks across; green helps, brown hurts, a dot is not fed."""
    figure, axes = _grid_figure(params)
    limit = max(0.02, float(np.nanquantile(np.abs(grid), 0.98)))
    norm = TwoSlopeNorm(0.0, -limit, limit)
    axes.set_facecolor("#eeeeee")
    image = axes.imshow(grid, cmap="BrBG", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(grid):
        text = "·" if np.isnan(value) else f"{100 * value:+.0f}"
        strong = abs(value) > 0.7 * limit
        axes.text(column, row, text, ha="center", va="center", fontsize=5.5,
                  color="white" if strong else "#333333")  # fmt: skip
    figure.colorbar(image, shrink=0.5, label="score").ax.tick_params(labelsize=6)
    axes.set_title(f"{title}, in hundredths", fontsize=8)
    return figure


def _choices(params: Params, analyses: Analyses) -> Figure:
    """The smallest number of specialists at which a task chooses each of them."""
    figure, axes = _grid_figure(params)
    grid = np.full((len(params.specialists), len(params.tasks)), np.nan)
    numbers = {key for result in analyses.values() for key in result["counts"]} - {"all"}
    wanted = sorted(map(int, numbers))
    for column, result in enumerate(analyses.values()):
        for count in reversed(wanted):
            for name in result["counts"].get(str(count), {"selected": []})["selected"]:
                grid[list(params.specialists).index(name), column] = wanted.index(count)
    axes.set_facecolor("#f4f4f4")
    last = len(wanted) - 1
    axes.imshow(last - grid, cmap="Greens", vmin=-1.5, vmax=last + 0.5, aspect="auto")
    for (row, column), value in np.ndenumerate(grid):
        if not np.isnan(value):
            axes.text(column, row, str(wanted[int(value)]), ha="center", va="center", fontsize=6,
                      color="white" if value == 0 else "#333333")  # fmt: skip
    axes.set_title("chosen among so many", fontsize=8)
    return figure


def _grid_figure(params: Params) -> tuple[Figure, Any]:
    names, tasks = list(params.specialists), list(params.tasks)
    figure, axes = plt.subplots(
        figsize=(2.6 + 0.42 * len(tasks), 1.4 + 0.22 * len(names)), layout="constrained"
    )
    axes.set_xticks(range(len(tasks)), tasks, rotation=55, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.tick_params(length=0)
    return figure, axes


def _label_curves(params: Params, labels: Sequence[dict[str, Any]]) -> Figure:
    """One small panel per task: score against labelled tiles, with and without the ensemble."""
    tasks = list(params.tasks)
    columns = min(5, len(tasks))
    lines = -(-len(tasks) // columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(2 * columns, 1.7 * lines), layout="constrained", squeeze=False
    )
    for axes in grid.flat[len(tasks) :]:
        axes.axis("off")
    for task, axes in zip(tasks, grid.flat, strict=False):
        rows = [row for row in labels if row["task"] == task]
        for kind, name in (("eosfm", "EosFM"), ("scratch", "from scratch")):
            axes.plot([row["tiles"] for row in rows], [row[kind] for row in rows],
                      marker=".", color=COLORS[kind], label=name)  # fmt: skip
        axes.set_title(task, fontsize=7)
        axes.tick_params(labelsize=6)
        axes.spines[["top", "right"]].set_visible(False)
    grid.flat[0].legend(frameon=False, fontsize=6)
    figure.supxlabel("labelled tiles", fontsize=8)
    figure.supylabel("test score, 0 to 1", fontsize=8)
    return figure
