"""Kinds with one answer per image: a table of windows, CSV or GeoParquet."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.kinds import get_kind
from eosfm.kinds.image import ImageKind
from eosfm.kinds.multilabel import Multilabel
from eosfm.prediction.cut import Cut
from eosfm.prediction.fitted import FittedTask
from eosfm.prediction.inputs import TaskInput
from eosfm.prediction.windows import Answer, Sweep, parts_ahead

Row = dict[str, Any]


def write_table(out: Path, given: TaskInput, answer: Answer, cut: Cut, fitted: FittedTask) -> str:
    """Write a row per window that was measured: its place, its answer, a score per class."""
    size = (cut.window, cut.window) if cut.window else fitted.tile
    grid = given.grid
    size = (min(size[0], grid.height), min(size[1], grid.width))
    sweep = Sweep.side_by_side(grid.size, size)
    batch = cut.batch(size[0] * size[1] * len(given.scenes))
    rows = list(_rows(sweep, given, answer, batch, fitted))
    if not rows:
        raise EosfmError(f"{given.scenes[0].path} has no measured pixel; take another scene")
    with atomic(out) as beside:
        if out.suffix.lower() == ".parquet":
            _geo(rows, grid.crs).to_parquet(beside)
        else:
            with beside.open("w", newline="") as file:
                table = csv.DictWriter(file, list(rows[0]))
                table.writeheader()
                table.writerows(rows)
    return f"{out}: {len(rows)} windows of {size[0]}x{size[1]} px, {', '.join(fitted.classes)}"


def _rows(
    sweep: Sweep, given: TaskInput, answer: Answer, batch: int, fitted: FittedTask
) -> Iterator[Row]:
    kind = cast(ImageKind, get_kind(fitted.kind))
    height, width = sweep.window
    for number, cols, parts in parts_ahead(
        sweep, lambda row, col: given.read(row, col, sweep.window), batch, f"predict {fitted.task}"
    ):
        seen = [
            (col, part) for col, part in zip(cols, parts, strict=True) if not part.unknown.all()
        ]
        if not seen:
            continue
        logits = answer(torch.stack([part.image for _, part in seen])).float().cpu()
        scores = logits.sigmoid() if isinstance(kind, Multilabel) else logits.softmax(1)
        for (col, part), found, values in zip(seen, kind.predict(logits), scores, strict=True):
            row = sweep.rows[number]
            corners = [given.grid.transform @ (x, y) for x in (col, col + width)
                       for y in (row, row + height)]  # fmt: skip
            xs, ys = zip(*corners, strict=True)
            names = sorted(kind.names(found, fitted.classes, fitted.ignore_index))
            yield {
                "row": row, "col": col, "height": height, "width": width,
                "x_min": min(xs), "y_min": min(ys), "x_max": max(xs), "y_max": max(ys),
                "measured": round(float(1 - np.mean(part.unknown)), 4),
                "class": "; ".join(names),
                **{f"score/{name}": round(float(value), 6)
                   for name, value in zip(fitted.classes, values, strict=True)},
            }  # fmt: skip


def _geo(rows: list[Row], crs: Any) -> Any:
    import geopandas
    import pandas
    from shapely import box

    table = pandas.DataFrame(rows)
    places = [box(*place) for place in table[["x_min", "y_min", "x_max", "y_max"]].to_numpy()]
    return geopandas.GeoDataFrame(table, geometry=places, crs=crs.to_wkt() if crs else None)
