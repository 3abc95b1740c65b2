"""The report's pictures, few and small: ``results/plots``."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from eosfm.params import Params
from eosfm.report.figures import COLORS, NAMES, figure, matrix, panels, save
from eosfm.report.results import BASELINES, Results
from eosfm.report.tables import write_csv


def write_plots(params: Params, results: Results, train: Path, out: Path) -> None:
    """Write every picture, and the numbers for ``dvc plots diff``.

    Args:
        params: All parameters.
        results: What the stages wrote.
        train: The results of the training stages, curves among them (``results/train``).
        out: Folder to fill.
    """
    out.mkdir(parents=True, exist_ok=True)
    tasks = results.evaluate
    tables: dict[str, tuple[Sequence[str], Mapping[str, float]]] = {
        "scores": (("task", "score"), {name: r.score for name, r in tasks.items()}),
        "models": (("model", "mean"), {m: results.mean_score(m) for m in ("eosfm", *BASELINES)}),
        "specialists": (("specialist", "score"), {n: r.score for n, r in results.train.items()}),
        "active": (("task", "specialists"), {n: len(r.selected) for n, r in tasks.items()}),
        "energy": (("stage", "wh"), _energy(results)),
    }
    for name, (header, values) in tables.items():
        rows = [[key, float(f"{value:.4g}")] for key, value in values.items()]
        write_csv(out / f"{name}.csv", [header, *rows])
    save(score_dots(results), out / "scores.png")
    save(training_curves(results, train), out / "training.png")
    save(selection_map(params, results), out / "selection.png")


def _energy(results: Results) -> dict[str, float]:
    """Watt-hours by stage."""
    spent: dict[str, float] = {}
    for record in results.energy:
        spent[record.stage] = spent.get(record.stage, 0.0) + 1000 * (record.kwh or 0.0)
    return spent


def score_dots(results: Results) -> Figure:
    """Test score by task, beside every baseline's; the bar is the spread between fits."""
    tasks = list(results.evaluate)
    drawn, (axes,) = figure(7, 1.2 + 0.32 * len(tasks))
    rows = range(len(tasks))
    for model in reversed(("eosfm", *BASELINES)):
        of_model = [results.of(model)[task] for task in tasks]
        scores, ours = [result.score for result in of_model], model == "eosfm"
        if ours:
            spread = [result.spread[result.score_metric] for result in of_model]
            axes.errorbar(scores, rows, xerr=spread, fmt="none", color=COLORS[model], linewidth=1)
        axes.scatter(
            scores, rows, s=70 if ours else 32, color=COLORS[model], label=NAMES[model],
            zorder=3 if ours else 2,
        )  # fmt: skip
    labels = [f"{task} ({results.evaluate[task].score_metric})" for task in tasks]
    axes.set_yticks(rows, labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("test score")
    axes.grid(axis="y", color="#eeeeee")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], names[::-1], fontsize=7, frameon=False, ncols=len(names),
        loc="lower center", bbox_to_anchor=(0.4, 1.0), columnspacing=1, handletextpad=0.2,
    )  # fmt: skip
    return drawn


def training_curves(results: Results, train: Path) -> Figure:
    """One small panel per specialist: training loss, and the validation score it is chosen by."""
    drawn, grid = panels([f"{name}\nloss, {r.metric}" for name, r in results.train.items()])
    for (name, result), axes in zip(results.train.items(), grid, strict=True):
        twin = axes.twinx()
        twin.spines["top"].set_visible(False)
        twin.tick_params(labelsize=6)
        for side, key, color in (
            (axes, "loss", "#888888"),
            (twin, result.metric, COLORS["eosfm"]),
        ):
            side.plot(*_curve(train, name, key), color=color, marker=".", linewidth=1)
            side.tick_params(axis="y", colors=color)
    return drawn


def _curve(train: Path, name: str, metric: str) -> tuple[list[int], list[float]]:
    path = train / name / "live" / "plots" / "metrics" / f"{metric}.tsv"
    with path.open(newline="") as file:
        points = list(csv.DictReader(file, delimiter="\t"))
    return [int(point["step"]) for point in points], [float(point[metric]) for point in points]


def selection_map(params: Params, results: Results) -> Figure:
    """Which specialists each task uses: tasks across, specialists down."""
    names, selected = list(params.specialists), [r.selected for r in results.evaluate.values()]
    drawn, axes = matrix(names, list(results.evaluate), "specialists in use")
    grid = np.array([[1.0 if name in chosen else np.nan for chosen in selected] for name in names])
    axes.imshow(grid, cmap="Greens", vmin=0, vmax=1.4, aspect="auto")
    axes.set_xticks(np.arange(1, len(selected)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    return drawn
