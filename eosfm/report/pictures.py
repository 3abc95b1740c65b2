"""The report's figures."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from eosfm.report.bootstrap import interval
from eosfm.report.curves import read_curve
from eosfm.report.figures import COLORS, OTHER, display_name, figure, matrix, panels
from eosfm.report.results import MODELS, Results

PUBLISHED_KWH = 76.05
"""What the published system took, trial and error included (its README)."""


def score_dots(results: Results) -> Figure:
    """Test score by task, its 95 % interval, every baseline's below it, the best constant's."""
    tasks = list(results.evaluate)
    drawn, (axes,) = figure(7, 1.2 + 0.36 * len(tasks))
    rows = np.arange(len(tasks))
    for below, model in enumerate(MODELS):
        of_model = [results.of(model)[task] for task in tasks]
        scores, ours = [result.score for result in of_model], model == "eosfm"
        if ours:
            bars = [
                interval(score, results.resampled(model, task))
                for task, score in zip(tasks, scores, strict=True)
            ]
            axes.hlines(rows, [b.low for b in bars], [b.high for b in bars], COLORS[model])
        # One below the other, since scores that are alike would hide each other; nearer to their
        # own line than to the next.
        lower = 0 if ours else 0.06 + 0.4 * below / len(MODELS)
        axes.scatter(
            scores, rows + lower, s=70 if ours else 18, color=COLORS.get(model, OTHER),
            label=display_name(model), zorder=3 if ours else 2,
        )  # fmt: skip
    axes.scatter(
        list(results.constants().values()), rows, marker="|", s=60, color="#888888",
        label="constant", zorder=3,
    )  # fmt: skip
    labels = [f"{task} ({results.evaluate[task].score_metric})" for task in tasks]
    axes.set_yticks(rows, labels, fontsize=8)
    axes.invert_yaxis()
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, len(tasks) - 0.5), min(top, -0.5))  # few tasks leave too little room
    axes.set_xlim(0, 1)
    axes.set_xlabel("test score")
    axes.grid(axis="y", color="#eeeeee")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(
        fontsize=7, frameon=False, ncols=len(MODELS) + 1, loc="lower center",
        bbox_to_anchor=(0.36, 1.0), columnspacing=0.7, handletextpad=0.1,
    )  # fmt: skip
    return drawn


def training_curves(results: Results, folder: Path) -> Figure:
    """One small panel per specialist: training loss, and the validation score it is chosen by."""
    metrics = {name: result.metric for name, result in results.train.items()}
    return _curves({name: (folder / "train" / name, m, m) for name, m in metrics.items()})


def fit_curves(results: Results, folder: Path) -> Figure | None:
    """One small panel per task: as :func:`training_curves`, of the first fit of fusion and head.

    A fit in closed form has no curve; None where all are.
    """
    items = {
        name: (folder / "evaluate" / name, f"val_{result.metric}", result.metric)
        for name, result in results.evaluate.items()
    }
    items = {name: one for name, one in items.items() if len(read_curve(*one[:2])) > 1}
    return _curves(items) if items else None


def _curves(items: dict[str, tuple[Path, str, str]]) -> Figure:
    """Loss and score of each item, which is a folder, the score's file and its name."""
    titles = [f"{name}\nloss, {metric}" for name, (_, _, metric) in items.items()]
    drawn, grid = panels(titles, twins=True)
    for (folder, metric, _), axes in zip(items.values(), grid, strict=True):
        twin = axes.twinx()
        twin.spines["top"].set_visible(False)
        twin.tick_params(labelsize=7)
        for side, key, color in ((axes, "loss", "#888888"), (twin, metric, COLORS["eosfm"])):
            curve = read_curve(folder, key)
            side.plot(list(curve), list(curve.values()), color=color, marker=".", linewidth=1)
            side.tick_params(axis="y", colors=color)
    return drawn


def selection_curves(results: Results) -> Figure:
    """What the first few specialists explain, against their number and the energy of training.

    A thin line per task, a thick one for the mean of all. An R² below 0 explains nothing, and is
    drawn as 0: one task's would sink the mean of all.
    """
    drawn, (left, right) = figure(9, 3.4, columns=2)
    paths = results.selection.values()
    shared = min(len(path.explained) for path in paths)
    counts = range(1, shared + 1)
    explained = np.maximum([path.explained[:shared] for path in paths], 0)
    means = explained.mean(axis=0)
    left.plot(counts, explained.T, color="#bbbbbb", linewidth=1)
    spent = np.array(
        [[results.spent(name) for name in path.specialists[:shared]] for path in paths], float
    )
    left.plot(counts, means, color=COLORS["eosfm"], marker="o", linewidth=2)
    left.set_xlabel("specialists in use")
    left.set_ylabel("explained share of the labels' variance")
    left.set_xticks(counts)
    if np.isnan(spent).any():
        right.text(0.5, 0.5, "of some it is unknown", ha="center", transform=right.transAxes)
    else:
        wh = 1000 * np.mean(np.cumsum(spent, axis=1), axis=0)
        right.plot(wh, means, color=COLORS["eosfm"], marker="o")
    right.set_xlabel("energy of training these, Wh (mean of tasks)")
    right.set_ylabel("explained share, mean of tasks")
    right.set_ylim(0, 1.1 * means.max() or 1)  # where nothing is explained
    return drawn


def energy_bars(results: Results) -> Figure:
    """Energy by stage and of all, beside that of the published system; the axis is logarithmic."""
    spent = results.by_stage(lambda record: 1000 * (record.kwh or 0.0))
    bars = {**spent, "all of these": sum(spent.values()), "published": 1000 * PUBLISHED_KWH}
    # A bar of nothing has no place on a logarithmic axis.
    bars = {name: wh for name, wh in bars.items() if wh > 0}
    drawn, (axes,) = figure(7, 0.8 + 0.28 * len(bars))
    colors = [COLORS["eosfm"] if name != "published" else COLORS["scratch"] for name in bars]
    drawn_bars = axes.barh(list(bars), list(bars.values()), color=colors, height=0.7)
    axes.bar_label(drawn_bars, [_amount(wh) for wh in bars.values()], padding=3, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(min(bars.values()) / 3, 6000 * PUBLISHED_KWH)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.set_xlabel("Wh")
    return drawn


def _amount(wh: float) -> str:
    return f"{wh:,.0f}" if wh >= 100 else f"{wh:.2g}" if wh < 1 else f"{wh:.1f}"


def selection_map(results: Results) -> Figure:
    """Which specialists each task uses: tasks across, specialists down."""
    names, tasks = results.specialists(), list(results.evaluate)
    drawn, axes = matrix(names, tasks, "specialists in use")
    axes.set_facecolor("none")
    # Bars, since a picture of cells would not follow the page's colours.
    for row, name in enumerate(names):
        users = [x for x, task in enumerate(tasks) if name in results.evaluate[task].selected]
        axes.broken_barh([(x - 0.45, 0.9) for x in users], (row - 0.4, 0.8), color=COLORS["eosfm"])
    axes.set_xlim(-0.6, len(tasks) - 0.4)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    return drawn
