"""A fitted task on a scene: a map of pixels, or a table of windows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.kinds import get_kind
from eosfm.kinds.regression import Regression
from eosfm.prediction.cut import Cut
from eosfm.prediction.fitted import FittedTask, read_fitted
from eosfm.prediction.geotiff import (
    bounded_cache,
    class_colours,
    write_categories,
    write_strip,
    writing,
)
from eosfm.prediction.inputs import Reading, TaskInput
from eosfm.prediction.model import TaskModel, load_model
from eosfm.prediction.table import write_table
from eosfm.prediction.windows import Answer, Strip, strips

UNKNOWN = 255
"""What a map of classes has where nothing was measured."""


@dataclass(frozen=True)
class MapFormat:
    """What a map's bands are, and how they are made of logits.

    Attributes:
        dtype: Of the file.
        nodata: Where there is no answer.
        names: Of the bands.
        resampling: How overviews are made.
        values: From logits (1, K, n, W) to (bands, n, W).
    """

    dtype: str
    nodata: float
    names: tuple[str, ...]
    resampling: str
    values: Callable[[Tensor], Tensor]


def predict(
    task: Path,
    artifact: Path,
    paths: Sequence[str],
    out: Path,
    reading: Reading,
    cut: Cut,
    probabilities: bool = False,
) -> str:
    """Write what a fitted task says of a scene.

    Args:
        task: What stage evaluate kept of it.
        artifact: The ensemble that it was fitted on.
        paths: The scene's dates.
        out: A GeoTIFF; for kinds with one answer per image a CSV, or a GeoParquet by its suffix.
        reading: How they are read.
        cut: How the scene is cut.
        probabilities: Whether a map has a band per class instead of the most likely class.

    Returns:
        One line for the user.

    Raises:
        EosfmError: Files or options do not fit each other or the task.
    """
    fitted = read_fitted(task)
    answer = get_kind(fitted.kind).answer
    if answer == "object":
        raise EosfmError(f"task {fitted.task} finds objects, which no map shows; take another task")
    check_out(out, (".csv", ".parquet") if answer == "image" else (".tif", ".tiff"), paths)
    with bounded_cache():
        given = TaskInput(fitted, paths, reading)
        run = _answering(load_model(fitted, artifact).to(cut.where), given, cut.where)
        if answer == "image":
            return write_table(out, given, run, cut, fitted)
        return _write_map(out, given, run, cut, probabilities)


def check_out(out: Path, suffixes: Sequence[str], paths: Sequence[str]) -> None:
    """Refuse an output of a wrong name, before any work.

    Raises:
        EosfmError: Its suffix says another format, or it is one of the scenes.
    """
    if out.suffix.lower() not in suffixes:
        raise EosfmError(f"-o {out} is of another format; expected a {' or '.join(suffixes)}")
    if any(Path(path).resolve() == out.resolve() for path in paths):
        raise EosfmError(f"-o {out} is a scene; give another name")


def _answering(model: TaskModel, given: TaskInput, where: torch.device) -> Answer:
    days = given.days.to(where)

    def answer(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return model(images.to(where), days.expand(len(images), -1))

    return answer


def _write_map(out: Path, given: TaskInput, answer: Answer, cut: Cut, probabilities: bool) -> str:
    fitted, grid = given.fitted, given.grid
    # What the encoders and a head like UPerNet give a pixel depends on all of the window, so that
    # windows of the size that was trained on do best (benchmarks/README.md).
    sweep = cut.sweep(grid.size, max(fitted.window))
    kind = get_kind(fitted.kind)
    form = map_format(fitted, probabilities)
    seen = np.zeros(2, np.int64)
    batch = cut.batch(sweep.window[0] * sweep.window[1] * len(given.scenes))
    with writing(out, grid, form.dtype, form.nodata, form.names, form.resampling) as raster:
        describe(raster, fitted, categories=form.dtype == "uint8")
        for strip in strips(
            sweep, lambda row, col: given.read(row, col, sweep.window), answer,
            len(fitted.classes), batch, 1, f"predict {fitted.task}",
        ):  # fmt: skip
            write_strip(raster, strip.row, finished(strip, form))
            seen += (strip.unknown.size, strip.unknown.sum())
    if form.dtype == "uint8":
        write_categories(out, fitted.classes)
    share = f", {seen[1] / seen[0]:.0%} without a measurement" if seen[1] else ""
    return f"{out}: {kind.name} of {grid}, {', '.join(fitted.classes)}{share}"


def map_format(fitted: FittedTask, probabilities: bool) -> MapFormat:
    """What a task's map looks like.

    Raises:
        EosfmError: There are no classes to give probabilities of, or too many for a map.
    """
    kind, classes = get_kind(fitted.kind), fitted.classes
    if isinstance(kind, Regression):
        if probabilities:
            raise EosfmError(f"task {fitted.task} has no classes; leave --probabilities out")
        return MapFormat("float32", np.nan, classes, "average", kind.predict)
    if probabilities:
        return MapFormat("float32", np.nan, classes, "average", lambda logits: logits.softmax(1)[0])
    if len(classes) > UNKNOWN:
        raise EosfmError(f"{len(classes)} classes; a map has room for {UNKNOWN}")
    return MapFormat(
        "uint8", UNKNOWN, ("class",), "mode", lambda logits: kind.predict(logits).to(torch.uint8)
    )


def finished(strip: Strip, form: MapFormat) -> np.ndarray:
    """(bands, n, W) of a strip, as they are written."""
    values = form.values(strip.values[None]).numpy()
    return np.where(strip.unknown, np.array(form.nodata, form.dtype), values)


def describe(raster: Any, fitted: FittedTask, categories: bool) -> None:
    """Write what a map's values mean into an open raster."""
    raster.update_tags(TASK=fitted.task, DATASET=fitted.dataset, ENSEMBLE_SHA256=fitted.artifact)
    if categories:
        raster.write_colormap(1, class_colours(len(fitted.classes)))
        raster.update_tags(1, **{f"class_{k}": name for k, name in enumerate(fitted.classes)})
    elif fitted.target_unit:
        raster.units = (fitted.target_unit,)
