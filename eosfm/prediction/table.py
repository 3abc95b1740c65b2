"""Writes a table of windows, for kinds with one answer per image, as CSV or GeoParquet."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.kinds import get_kind
from eosfm.kinds.image import ImageKind
from eosfm.prediction.job import Job
from eosfm.prediction.rows import Arrays, Rows
from eosfm.prediction.windows import Answered, Sweep

Row = dict[str, Any]


def write_table(job: Job) -> str:
    """Write a row per window with measured pixels: its place, its answer and a score per class.

    Returns:
        One line for the user.

    Raises:
        EosfmError: The scene has no measured pixel.
    """
    grid, fitted = job.given.grid, job.fitted
    size = (job.cut.window, job.cut.window) if job.cut.window else fitted.tile
    size = (min(size[0], grid.height), min(size[1], grid.width))
    sweep = Sweep.side_by_side(grid.size, size)
    kept = job.rows(sweep)
    _answer_rows(job, sweep, kept)
    found = list(_rows(job, sweep, kept))
    if not found:
        kept.remove()
        raise EosfmError(f"{job.given.scenes[0].path} has no measured pixel; take another scene")
    rows, places = zip(*found, strict=True)
    with atomic(job.out) as beside:
        if job.out.suffix.lower() == ".parquet":
            grid.layer(rows, places).to_parquet(beside)
        else:
            with beside.open("w", newline="") as file:
                table = csv.DictWriter(file, list(rows[0]))
                table.writeheader()
                table.writerows(rows)
    kept.remove()
    return f"{job.out}: {len(rows)} windows of {size[0]}x{size[1]} px, {_told(rows)}"


def _told(rows: Sequence[Row]) -> str:
    """Number of windows per class, the most frequent first."""
    counts = Counter(name for row in rows for name in row["class"].split("; ") if name)
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none of a class"


def _answer_rows(job: Job, sweep: Sweep, kept: Rows) -> None:
    """Keep column, measured share and logits of the measured windows, row by row."""
    nothing: Arrays = {"col": np.empty(0, np.int64), "measured": np.empty(0),
               "logits": np.empty((0, len(job.fitted.classes)), np.float32)}  # fmt: skip

    def answer(images: Tensor, days: Tensor) -> Any:
        return job.answer(images, days).float().cpu()

    def row(one: Answered) -> Arrays:
        measured = np.array([1 - one.unknown.mean()])
        return {
            "col": np.array([one.col]),
            "measured": measured,
            "logits": one.answer.numpy()[None],
        }

    job.fill(sweep, kept, answer, row, nothing)


def _rows(job: Job, sweep: Sweep, kept: Rows) -> Iterator[tuple[Row, Any]]:
    """Yield the rows of the table, each with its window's polygon."""
    fitted, grid = job.fitted, job.given.grid
    kind = cast(ImageKind, get_kind(fitted.kind))
    height, width = sweep.window
    for row, answers in zip(sweep.rows, kept.read(), strict=True):
        if not len(answers["col"]):
            continue
        logits = torch.from_numpy(answers["logits"])
        scores = kind.probabilities(logits)
        for col, measured, found, values in zip(
            answers["col"].tolist(), answers["measured"], kind.predict(logits), scores, strict=True
        ):
            place = grid.polygon(col, row, col + width, row + height)
            x_min, y_min, x_max, y_max = place.bounds
            names = sorted(kind.names(found, fitted.classes, fitted.ignore_index))
            yield {
                "row": row, "col": col, "height": height, "width": width,
                "x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max,
                "measured": round(float(measured), 4),
                "class": "; ".join(names),
                **{f"score/{name}": round(float(value), 6)
                   for name, value in zip(fitted.classes, values, strict=True)},
            }, place  # fmt: skip
