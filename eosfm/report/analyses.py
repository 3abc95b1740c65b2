"""The analyses' pictures and tables: which specialists matter, how many, labels, energy."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from eosfm.core.results import EnergyRecord, read_result
from eosfm.evaluation.result import AnalysisResult, TaskResult
from eosfm.params import Params
from eosfm.report.figures import COLORS, NAMES, figure, label_cell, matrix, panels, save
from eosfm.report.tables import write_csv

SCORE_ROOM = 0.1
"""Smaller differences between means are those of single fits, and are not to fill the picture."""

LABEL_GAP = 0.028
"""Least distance of two tasks' names beside their curves, in score."""

Analyses = dict[str, AnalysisResult]
"""By task."""


@dataclass(frozen=True)
class CountRow:
    """Mean score of so many specialists, and the mean energy of training those chosen.

    None where that of one of them is not known.
    """

    specialists: str
    score: float
    train_kwh: float | None
    score_per_wh: float | None


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
    by_task = {
        task: read_result(analyses / task / "metrics.json", AnalysisResult, "analyses/dvc.yaml")
        for task in params.tasks
    }
    spent = {
        name: read_result(train / name / "energy.json", EnergyRecord, f"train@{name}").kwh
        for name in params.specialists
    }
    # An artifact that was brought along may have others.
    used = (name for one in by_task.values() for name in one.counts["all"].selected)
    specialists = list(dict.fromkeys([*params.specialists, *used]))
    out.mkdir(parents=True, exist_ok=True)
    counts = by_count(by_task, spent)
    header = [field.name for field in fields(CountRow)]
    write_csv(out / "counts.csv", [header, *map(astuple, counts)])
    save(_count_curves(by_task, counts), out / "counts.png")
    for part, title in (
        (
            "alone",
            "score of one alone less that of the chosen; green: it does better",
        ),
        (
            "without",
            "score of the chosen less that of those chosen without it; green: it helps",
        ),
    ):
        grid = contributions(specialists, by_task, part)
        rows = zip(specialists, grid.round(4).tolist(), strict=True)
        write_csv(
            out / f"{part}.csv", [["specialist", *by_task], *([name, *row] for name, row in rows)]
        )
        save(_heat_map(specialists, list(by_task), grid, title), out / f"{part}.png")
    save(_choices(specialists, by_task), out / "choices.png")
    write_csv(out / "labels.csv", by_labels(by_task))
    save(_label_curves(by_task), out / "labels.png")
    best = max(counts, key=lambda row: row.score)
    return f"{len(by_task)} tasks; best mean score {best.score:.3f} with {best.specialists}"


def by_count(analyses: Analyses, energy: Mapping[str, float | None]) -> list[CountRow]:
    """Mean score by number of specialists, and what training the chosen ones took."""
    # What every task has: one that can use few specialists has fewer numbers.
    shared = set.intersection(*(set(result.counts) for result in analyses.values()))
    rows = []
    for count in sorted(shared, key=lambda name: (name == "all", name.zfill(4))):
        teams = [result.counts[count] for result in analyses.values()]
        score = fmean(team.score for team in teams)
        spent = [[energy.get(name) for name in team.selected] for team in teams]
        kwh = per_wh = None
        if not any(one is None for team in spent for one in team):
            kwh = float(f"{fmean(sum(filter(None, team)) for team in spent):.4g}")
            per_wh = float(f"{score / kwh / 1000:.4g}") if kwh else None
        rows.append(CountRow(count, round(score, 4), kwh, per_wh))
    return rows


def contributions(specialists: Sequence[str], analyses: Analyses, part: str) -> np.ndarray:
    """(specialists, tasks): alone minus whole, or whole minus without; NaN where not used."""
    sign = 1 if part == "alone" else -1
    grid = np.full((len(specialists), len(analyses)), np.nan)
    for column, result in enumerate(analyses.values()):
        teams: dict[str, TaskResult] = getattr(result, part)
        for row, name in enumerate(specialists):
            if name in teams:
                grid[row, column] = sign * (teams[name].score - result.whole.score) + 0.0
    return grid


def by_labels(analyses: Analyses) -> list[Sequence[Any]]:
    """Task by task and share of labels: tiles, the ensemble's score, the score from scratch."""
    return [
        ("task", "share", "tiles", "eosfm", "scratch"),
        *(
            (task, float(share), ours.labels, round(ours.score, 4), round(rival.score, 4))
            for task, result in analyses.items()
            for (share, ours), rival in zip(
                result.labels.items(), result.scratch.values(), strict=True
            )
        ),
    ]


def _count_curves(analyses: Analyses, counts: Sequence[CountRow]) -> Figure:
    """Score against number of specialists, and against the energy of training them."""
    drawn, (left, right) = figure(9, 3.4, columns=2)
    names, means = [row.specialists for row in counts], [row.score for row in counts]
    curves = {
        task: [result.counts[name].score for name in names] for task, result in analyses.items()
    }
    x = range(len(counts))
    for scores in curves.values():
        left.plot(x, scores, color="#c8c8c8", linewidth=1)
    left.plot(x, means, color=COLORS["eosfm"], marker="o", linewidth=2)
    curves["mean"] = means
    heights = spread([scores[-1] for scores in curves.values()], LABEL_GAP)
    for name, height in zip(curves, heights, strict=True):
        color = COLORS["eosfm"] if name == "mean" else "#888888"
        left.annotate(name, (x[-1], height), (5, 0), textcoords="offset points",
                      fontsize=5.5, color=color, va="center")  # fmt: skip
    left.set_xticks(x, names)
    left.set_xlim(-0.2, len(counts) - 0.2)
    left.set_xlabel("specialists in use")
    left.set_ylabel("test score, 0 to 1")
    points = [
        (1000 * row.train_kwh, row.score, row.specialists)
        for row in counts
        if row.train_kwh is not None
    ]
    right.plot(
        [x for x, *_ in points], [y for _, y, _ in points], color=COLORS["eosfm"], marker="o"
    )
    for x_wh, score, name in points:
        right.annotate(name, (x_wh, score), (4, -9), textcoords="offset points", fontsize=8)
    right.set_xlabel("energy of training the specialists in use, Wh")
    right.set_ylabel("mean test score")
    middle = (min(means) + max(means)) / 2
    room = max(SCORE_ROOM, max(means) - min(means)) * 0.6
    right.set_ylim(middle - room, middle + room)
    return drawn


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """The heights, moved as far apart as their labels need and no further, in the same order."""
    from scipy.optimize import isotonic_regression

    moved = np.array(heights, float)
    order = np.argsort(moved, kind="stable")
    gaps = gap * np.arange(len(moved))
    if len(moved):
        moved[order] = isotonic_regression(moved[order] - gaps).x + gaps
    return moved.tolist()


def _heat_map(
    specialists: Sequence[str], tasks: Sequence[str], grid: np.ndarray, title: str
) -> Figure:
    """Specialists down, tasks across; green helps, brown hurts, a dot is not used."""
    drawn, axes = matrix(specialists, tasks, f"{title}, in hundredths")
    limit = max(0.02, float(np.nanquantile(np.abs(grid), 0.98)))
    norm = TwoSlopeNorm(0.0, -limit, limit)
    image = axes.imshow(grid, cmap="BrBG", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(grid):
        text = "·" if np.isnan(value) else f"{round(100 * value):+d}".replace("+0", "0")
        label_cell(axes, row, column, text, on_dark=abs(value) > 0.5 * limit)
    drawn.colorbar(image, shrink=0.5, label="score").ax.tick_params(labelsize=6)
    return drawn


def _choices(specialists: Sequence[str], analyses: Analyses) -> Figure:
    """The smallest number of specialists at which a task chooses each of them."""
    drawn, axes = matrix(
        specialists, list(analyses), "smallest team (1, 2, 3, 5 or 10) of a task that has it"
    )
    wanted = sorted({int(n) for result in analyses.values() for n in result.counts if n != "all"})
    grid = np.full((len(specialists), len(analyses)), np.nan)
    for column, result in enumerate(analyses.values()):
        for count in reversed(wanted):
            team = result.counts.get(str(count))
            for name in team.selected if team else ():
                grid[specialists.index(name), column] = wanted.index(count)
    last = len(wanted) - 1
    axes.imshow(last - grid, cmap="Greens", vmin=-1.5, vmax=last + 0.5, aspect="auto")
    for (row, column), value in np.ndenumerate(grid):
        if not np.isnan(value):
            label_cell(axes, row, column, str(wanted[int(value)]), on_dark=value < 2)
    return drawn


def _label_curves(analyses: Analyses) -> Figure:
    """One small panel per task: score against labelled tiles, with and without the ensemble."""
    drawn, grid = panels(list(analyses))
    for result, axes in zip(analyses.values(), grid, strict=True):
        for model, by_share in (("eosfm", result.labels), ("scratch", result.scratch)):
            points = sorted((fits.labels, fits.score) for fits in by_share.values())
            axes.plot(
                *zip(*points, strict=True), marker=".", color=COLORS[model], label=NAMES[model]
            )
    grid[0].legend(frameon=False, fontsize=6)
    drawn.supxlabel("labelled tiles", fontsize=8)
    drawn.supylabel("test score, 0 to 1", fontsize=8)
    return drawn
