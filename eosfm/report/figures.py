"""What the report's pictures share: names, colours, layouts, and files of the same bytes."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

NAMES = {
    "eosfm": "EosFM",
    "random": "random weights",
    "start": "start weights",
    "single": "best single specialist",
    "scratch": "from scratch",
    "statistics": "pixel statistics",
}
"""What a baseline is called; one that is not here has its name in results."""

COLORS = {
    "eosfm": "#0b6e4f",
    "random": "#b8b8b8",
    "start": "#c76b98",
    "single": "#6b9ac4",
    "scratch": "#e0a458",
    "statistics": "#8f6bb3",
}


OTHER = "#5f5f5f"
"""The colour of a baseline that has none."""


def display_name(model: str) -> str:
    """What a model is called."""
    return NAMES.get(model, model)


def figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Axes side by side, without a frame above and to the right; sizes in inches."""
    drawn, grid = plt.subplots(
        1, columns, figsize=(width, height), layout="constrained", squeeze=False
    )
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    return drawn, list(grid.flat)


PANEL = (2.1, 1.7)
"""Inches of a small panel, its labels included."""
BESIDE = 0.44
"""Inches on either side of a panel's axes, for numbers of six characters."""
ABOVE, BELOW = 0.4, 0.25
"""Inches above a panel's axes for a title of two lines, and below for numbers."""


def panels(titles: Sequence[str], twins: bool = False) -> tuple[Figure, list[Axes]]:
    """One small panel per title, four in a row, with whole numbers below.

    Args:
        titles: Of at most two lines.
        twins: Whether numbers will stand to the right too. All panels have equal room then, because
            to measure the numbers of fifty axes takes as long as to draw them.
    """
    columns = min(4, len(titles))
    rows = math.ceil(len(titles) / columns)
    width, height = PANEL[0] * columns, PANEL[1] * rows
    drawn, grid = plt.subplots(
        rows, columns, figsize=(width, height), squeeze=False,
        layout=None if twins else "constrained",
    )  # fmt: skip
    if twins:
        across, down = PANEL[0] - 2 * BESIDE, PANEL[1] - ABOVE - BELOW
        drawn.subplots_adjust(
            left=BESIDE / width, right=1 - BESIDE / width, wspace=2 * BESIDE / across,
            bottom=BELOW / height, top=1 - ABOVE / height, hspace=(ABOVE + BELOW) / down,
        )  # fmt: skip
    for axes in grid.flat[len(titles) :]:
        axes.axis("off")
    for title, axes in zip(titles, grid.flat, strict=False):
        axes.set_title(title, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    return drawn, list(grid.flat[: len(titles)])


def matrix(rows: Sequence[str], columns: Sequence[str], title: str) -> tuple[Figure, Axes]:
    """Axes for one cell per pair of names."""
    drawn, axes = plt.subplots(
        figsize=(2.6 + 0.42 * len(columns), 1.4 + 0.22 * len(rows)), layout="constrained"
    )
    axes.set_xticks(range(len(columns)), columns, rotation=55, ha="right", fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.tick_params(length=0)
    axes.set_facecolor("#f0f0f0")
    axes.set_title(title, fontsize=8)
    return drawn, axes


def label_cell(axes: Axes, row: int, column: int, text: str, on_dark: bool) -> None:
    """Write into one cell of a matrix."""
    color = "white" if on_dark else "#333333"
    axes.text(column, row, text, ha="center", va="center", fontsize=5.5, color=color)


def save(drawn: Figure, path: Path) -> None:
    """Write a picture whose bytes depend on what is drawn alone, and free it."""
    drawn.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(drawn)
