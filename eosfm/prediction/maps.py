"""Writes maps, for kinds with an answer per pixel, as COGs on the scene's grid."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.evaluation.fitted import FittedTask
from eosfm.kinds import get_kind
from eosfm.kinds.regression import Regression
from eosfm.prediction.areas import UNKNOWN, Areas
from eosfm.prediction.geotiff import (
    MARK,
    Form,
    class_colours,
    finished,
    write_categories,
    writing,
    written,
)
from eosfm.prediction.job import Job
from eosfm.prediction.plausible import note_missing
from eosfm.prediction.rows import Arrays
from eosfm.prediction.windows import strips

SHOWN = 5
"""Most classes whose shares are printed, the most frequent first."""
LEAST = 0.0005
"""Least share of a class that is printed or counted."""


def write_map(job: Job, probabilities: bool) -> tuple[str, Areas]:
    """Write the most likely class of each pixel, a probability per class, or a value.

    Returns:
        One line for the user, and the areas of the classes; of a map without classes, nothing is
        counted.

    Raises:
        EosfmError: The task has no such map, or window and overlap are not valid.
    """
    fitted, grid = job.fitted, job.given.grid
    # Encoders and heads such as UPerNet see the whole window, so windows of the size used in
    # training score best (benchmarks/README.md).
    sweep = job.cut.sweep(grid.size, max(fitted.window))
    form = map_form(fitted, probabilities)
    rows = job.rows(sweep, probabilities)

    def made(first: int) -> Iterator[Arrays]:
        for strip in strips(
            sweep, job.given.read, job.answer, len(fitted.classes), job.load(sweep), 1,
            job.name, first,
        ):  # fmt: skip
            yield finished(strip, form)

    rows.fill(made)
    with writing(job.out, grid, form) as raster:
        describe(raster, fitted, categories=form.dtype == "uint8")
        sums, known, areas = np.zeros(len(fitted.classes)), 0, Areas(grid)
        for kept in written(raster, rows):
            if form.dtype == "uint8":
                areas.add(kept["values"][0])
            else:
                sums += kept["values"][:, ~kept["unknown"]].sum(axis=1, dtype=np.float64)
            known += int((~kept["unknown"]).sum())
    if form.dtype == "uint8":
        write_categories(job.out, fitted.classes)
        sums += areas.pixels[: len(sums)]
    rows.remove()
    missing = note_missing(1 - known / (grid.height * grid.width))
    told = _told(fitted, form, sums / known, areas) if known else ""
    return f"{job.out}: {grid}{told}{missing}", areas


def map_form(fitted: FittedTask, probabilities: bool) -> Form:
    """The form of a task's map.

    Raises:
        EosfmError: There are no classes to give probabilities of, or too many for a map.
    """
    kind, classes = get_kind(fitted.kind), fitted.classes
    if isinstance(kind, Regression):
        if probabilities:
            raise EosfmError(f"task {fitted.task} has no classes; leave --probabilities out")
        return Form("float32", np.nan, classes, "average", kind.predict)
    if probabilities:
        return Form("float32", np.nan, classes, "average", lambda logits: logits.softmax(1)[0])
    if len(classes) > UNKNOWN:
        raise EosfmError(f"{len(classes)} classes; a map has room for {UNKNOWN}")
    return Form("uint8", UNKNOWN, ("class",), "mode", _likeliest)


def _likeliest(logits: Tensor) -> Tensor:
    """The most likely class of each pixel, twelve times as fast as `argmax` on a CPU."""
    return logits.max(dim=1).indices.to(torch.uint8)


def _told(fitted: FittedTask, form: Form, means: np.ndarray, areas: Areas) -> str:
    """A summary of a map: the mean value, or what is largest by class, of share or probability.

    After a share stands the area.
    """
    if isinstance(get_kind(fitted.kind), Regression):
        return f"; {fitted.classes[0]} {means[0]:.4g} {fitted.target_unit or ''}".rstrip()
    there = [k for k in np.argsort(-means, kind="stable") if means[k] >= LEAST]
    more = f" and {len(there) - SHOWN} more" * (len(there) > SHOWN)
    counted = form.dtype == "uint8"
    what = "mean probability of " * (not counted)
    shown = ", ".join(
        f"{fitted.classes[k]} {means[k]:.1%}{areas.told(k) * counted}" for k in there[:SHOWN]
    )
    return f"; {what}{shown}{more}"


def describe(raster: Any, fitted: FittedTask, categories: bool) -> None:
    """Write tags and colours, or the unit, into a map's open raster."""
    simulated = " (simulated)" * (fitted.source == "simulated")
    raster.update_tags(
        **{"TASK": fitted.task, "DATASET": fitted.dataset + simulated, MARK: fitted.artifact}
    )
    if categories:
        raster.write_colormap(1, class_colours(fitted.classes))
        raster.update_tags(1, **{f"class_{k}": name for k, name in enumerate(fitted.classes)})
    elif fitted.target_unit:
        raster.units = (fitted.target_unit,)
