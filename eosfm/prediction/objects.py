"""Kinds with an answer per object: boxes of the whole scene, as a layer of polygons."""

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
"""GDAL's name of each format but GeoParquet."""

MIN_SCORE = 0.3
"""Less certain finds are not written, where nothing else is asked for."""

OVERLAP = 0.25
"""Share of a window by which it overlaps the next, where nothing else is asked for: objects up to
that size are whole in one of the two."""

BORDER = 2.0
"""Pixels about the border between two windows in which objects of both count. Of an object that
both have, the better one is kept."""


def write_objects(job: Job, min_score: float | None) -> str:
    """Write a polygon per object, with class and score, best first.

    Each object is taken from the window in whose middle it lies. Of boxes of one class that overlap
    by more than a detector allows within a window, the best is kept.

    Returns:
        One line for the user.

    Raises:
        EosfmError: Windows do not fit each other.
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
    """Windows in multiples of the coarsest stride, on which a detector's cells are whole."""
    size = job.given.grid.size
    cut = job.cut
    if cut.overlap is None:
        window = cut.window or -(-max(job.fitted.window) // GRID) * GRID
        cut = replace(cut, overlap=int(OVERLAP * window / GRID) * GRID)
    sweep = cut.sweep(size, max(job.fitted.window))
    height, width = (-(-side // GRID) * GRID for side in sweep.window)
    return replace(sweep, window=(height, width))


def _find_rows(job: Job, sweep: Sweep, kept: Rows, least: float) -> None:
    """Keep what each row of windows finds, in pixels of the scene."""
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
    """The certain ones of a window's objects whose middle is its own, in pixels of the scene."""
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
    """Where a window's own part begins and ends: half way into what it shares with the next.

    And :data:`BORDER` more, since two windows do not place an object quite alike.
    """
    edges = [-np.inf, *((a + size + b) / 2 for a, b in pairwise(starts)),
             np.inf]  # fmt: skip
    return edges[index] - BORDER, edges[index + 1] + BORDER


def _once(found: Arrays) -> Arrays:
    """Best first, without what two windows both found."""
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
            table = table.to_crs("OGC:CRS84")  # the one system that the format has
        # GDAL knows formats by suffixes, which the place beside has not.
        file = BytesIO()
        table.to_file(
            file, driver=DRIVERS[suffix], layer=job.out.stem, engine="pyogrio",
            geometry_type="Polygon",
        )  # fmt: skip
        beside.write_bytes(file.getvalue())


def _layer(job: Job, found: Arrays) -> Any:
    import geopandas

    grid, boxes = job.given.grid, found["boxes"].round(2).tolist()
    places = [grid.polygon(*box) for box in boxes]
    x_min, y_min, x_max, y_max = (list(side) for side in zip(*boxes, strict=True)) if boxes else [
        [] for _ in range(4)
    ]  # fmt: skip
    return geopandas.GeoDataFrame(
        {
            "class": [job.fitted.classes[label] for label in found["labels"]],
            "score": found["scores"].round(4),
            "col_min": x_min, "row_min": y_min, "col_max": x_max, "row_max": y_max,
        },
        geometry=places,
        crs=grid.crs.to_wkt() if grid.crs else None,
    )  # fmt: skip
