"""Writes the objects of a scene, for kinds with an answer per object, as a layer of polygons."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eosfm.core.files import atomic
from eosfm.heads.fcos import MAX_OVERLAP
from eosfm.kinds import get_kind
from eosfm.prediction.job import Job
from eosfm.prediction.rows import Arrays, Rows, joined
from eosfm.prediction.windows import GRID, Answered, Sweep

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON"}
"""GDAL's driver by suffix; GeoParquet is written without GDAL."""

MIN_SCORE = 0.3
"""Default of the least score of objects that are written."""

OVERLAP = 0.25
"""Default overlap as a share of the window: objects up to that size are whole in one window."""

BORDER = 2.0
"""Pixels on either side of the border between two windows' cores in which objects of both count;
of duplicates, the one with the higher score is kept."""


def write_objects(job: Job, min_score: float | None) -> str:
    """Write a polygon per object, with class and score, best first.

    Each object is taken from the window in whose core its centre lies. Duplicates are removed by
    non-maximum suppression per class, at the overlap that a detector allows within a window.

    Returns:
        One line for the user.

    Raises:
        EosfmError: Window and overlap are not valid.
    """
    fitted, grid = job.fitted, job.given.grid
    sweep = _sweep(job)
    least = MIN_SCORE if min_score is None else min_score
    kept = job.rows(sweep, least)
    _find_rows(job, sweep, kept, least)
    found = _once(joined(list(kept.read())))
    _write(job, found)
    kept.remove()
    counts = np.bincount(found["labels"], minlength=len(fitted.classes))
    told = ", ".join(f"{n} {name}" for n, name in zip(counts, fitted.classes, strict=True) if n)
    return f"{job.out}: objects of {grid}, {told or f'none of a score above {least}'}"


def _sweep(job: Job) -> Sweep:
    """Windows in multiples of the coarsest stride, so that a detector's cells are whole."""
    size = job.given.grid.size
    cut = job.cut
    if cut.overlap is None:
        window = cut.window or -(-max(job.fitted.window) // GRID) * GRID
        cut = replace(cut, overlap=int(OVERLAP * window / GRID) * GRID)
    sweep = cut.sweep(size, max(job.fitted.window))
    height, width = (-(-side // GRID) * GRID for side in sweep.window)
    return replace(sweep, window=(height, width))


def _find_rows(job: Job, sweep: Sweep, kept: Rows, least: float) -> None:
    """Keep the objects of each row of windows, in pixels of the scene."""
    kind = get_kind(job.fitted.kind)

    def answer(images: Tensor, days: Tensor) -> list[Arrays]:
        with torch.inference_mode():
            answers = kind.predict(job.answer(images, days))
        return [{key: value.float().cpu().numpy() for key, value in one.items()} for one in answers]

    nothing: Arrays = {
        "boxes": np.empty((0, 4), np.float32),
        "labels": np.empty(0, np.int64),
        "scores": np.empty(0, np.float32),
    }
    job.fill(sweep, kept, answer, lambda one: _own(one, sweep, least), nothing)


def _own(one: Answered, sweep: Sweep, least: float) -> Arrays:
    """A window's objects of score ``least`` or more centred in its core, in pixels of the scene."""
    objects, row, col = one.answer, sweep.rows[one.number], one.col
    boxes = objects["boxes"] + np.array([col, row, col, row], np.float32)
    height, width = sweep.scene
    boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    left, right = _middle(sweep.cols, sweep.window[1], sweep.cols.index(col))
    top, bottom = _middle(sweep.rows, sweep.window[0], one.number)
    pixel = (
        np.clip((y - row).astype(int), 0, sweep.window[0] - 1),
        np.clip((x - col).astype(int), 0, sweep.window[1] - 1),
    )
    own = (
        (objects["scores"] >= least) & ~one.unknown[pixel]
        & (left <= x) & (x < right) & (top <= y) & (y < bottom)
        & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    )  # fmt: skip
    labels = objects["labels"].astype(np.int64)
    return {"boxes": boxes[own], "labels": labels[own], "scores": objects["scores"][own]}


def _middle(starts: Sequence[int], size: int, index: int) -> tuple[float, float]:
    """Start and end of a window's core along one side: halfway into each overlap.

    :data:`BORDER` is added, since two windows place an object slightly differently.
    """
    edges = [-np.inf, *((a + size + b) / 2 for a, b in pairwise(starts)),
             np.inf]  # fmt: skip
    return edges[index] - BORDER, edges[index + 1] + BORDER


def _once(found: Arrays) -> Arrays:
    """Objects by descending score, without duplicates from two windows."""
    from torchvision.ops import batched_nms

    boxes, scores, labels = (torch.from_numpy(found[k]) for k in ("boxes", "scores", "labels"))
    order = batched_nms(boxes, scores, labels, MAX_OVERLAP).numpy()
    return {key: values[order] for key, values in found.items()}


def _write(job: Job, found: Arrays) -> None:
    table: Any = _layer(job, found)
    suffix = job.out.suffix.lower()
    with atomic(job.out) as beside:
        if suffix == ".parquet":
            table.to_parquet(beside)
            return
        if suffix == ".geojson" and table.crs is not None:
            table = table.to_crs("OGC:CRS84")  # GeoJSON's only CRS
        # GDAL needs the format's suffix, which the temporary file does not have.
        file = BytesIO()
        table.to_file(
            file, driver=DRIVERS[suffix], layer=job.out.stem, engine="pyogrio",
            geometry_type="Polygon",
        )  # fmt: skip
        beside.write_bytes(file.getvalue())


def _layer(job: Job, found: Arrays) -> Any:
    grid, boxes = job.given.grid, found["boxes"].round(2)
    sides = ("col_min", "row_min", "col_max", "row_max")
    table = {
        "class": [job.fitted.classes[label] for label in found["labels"]],
        "score": found["scores"].round(4),
        **dict(zip(sides, boxes.T.tolist(), strict=True)),
    }
    return grid.layer(table, [grid.polygon(*box) for box in boxes.tolist()])
