"""Runs a fitted task on a scene: a map of pixels, a table of windows, or boxes of objects."""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.files import temporary_folder
from eosfm.evaluation.fitted import file_hash, read_fitted
from eosfm.kinds import get_kind
from eosfm.kinds.regression import Regression
from eosfm.prediction.areas import write_areas
from eosfm.prediction.cut import Cut
from eosfm.prediction.folders import SUFFIXES as RASTERS
from eosfm.prediction.geotiff import bounded_cache, written_elsewhere
from eosfm.prediction.grid import Grid
from eosfm.prediction.inputs import SceneSeries
from eosfm.prediction.job import Job
from eosfm.prediction.maps import write_map
from eosfm.prediction.model import answering, load_model
from eosfm.prediction.objects import write_objects
from eosfm.prediction.scene import ReadOptions
from eosfm.prediction.table import write_table

SUFFIXES = {
    "pixel": (".tif", ".tiff"),
    "image": (".csv", ".parquet"),
    "object": (".gpkg", ".geojson", ".parquet"),
}
"""Suffixes of outputs, by what gets an answer (see :attr:`eosfm.kinds.kind.Kind.answer`)."""

OTHER = 2.0
"""Ratio of the scene's pixel size to the training's, either way, from which a note is printed."""


def predict(
    task: Path,
    artifact: Path,
    paths: Sequence[str],
    out: Path,
    reading: ReadOptions,
    cut: Cut,
    probabilities: bool = False,
    min_score: float | None = None,
    areas: Path | None = None,
) -> str:
    """Write a fitted task's answers for a scene.

    A killed run resumes after its last finished row of windows if scene, task and options are the
    same, and gives the same bytes.

    Args:
        task: Its file from stage evaluate or :func:`eosfm.prediction.bundle.bundle`.
        artifact: The ensemble that it was fitted on.
        paths: The scene's dates: rasters, folders or STAC files.
        out: The file to write, with a suffix of :data:`SUFFIXES`.
        reading: How the dates are read.
        cut: How the scene is cut.
        probabilities: Whether a map has a band per class instead of the most likely class.
        min_score: Least score of objects that are written; None for the default of
            :mod:`eosfm.prediction.objects`.
        areas: A .csv file to write the area of each class to; None for none.

    Returns:
        One line for the user.

    Raises:
        EosfmError: Files or options do not fit each other or the task.
    """
    predictor = Predictor(task, artifact, reading, cut, probabilities, min_score)
    if areas is not None:
        predictor.check_areas(areas, paths)
    line, rows = predictor.write(paths, out)
    if areas is not None:
        write_areas(areas, rows)
    return line


class Predictor:
    """A fitted task and options, for one scene after the other; see :func:`predict`.

    Raises:
        EosfmError: Options do not fit the task, or it cannot be read.
    """

    def __init__(
        self,
        task: Path,
        artifact: Path,
        reading: ReadOptions,
        cut: Cut,
        probabilities: bool = False,
        min_score: float | None = None,
    ) -> None:
        self.fitted = fitted = read_fitted(task)
        self._task, self._artifact, self._reading, self._cut = task, artifact, reading, cut
        self._probabilities, self._min_score = probabilities, min_score
        self._kind = get_kind(fitted.kind)
        if probabilities and self._kind.answer != "pixel":
            raise EosfmError(f"task {fitted.task} makes no map; leave --probabilities out")
        if self._kind.answer == "image" and cut.overlap is not None:
            raise EosfmError(f"task {fitted.task} takes windows side by side; leave --overlap out")
        if min_score is not None and self._kind.answer != "object":
            raise EosfmError(f"task {fitted.task} finds no objects; leave --min-score out")

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of its outputs, the usual one first."""
        return SUFFIXES[self._kind.answer]

    @cached_property
    def answer(self) -> Callable[[Tensor, Tensor], Any]:
        """The model: from images (B, T, C, h, w) and days (B, T) to logits."""
        return answering(load_model(self.fitted, self._artifact), self._cut.where)

    def check_areas(self, areas: Path, paths: Sequence[str]) -> None:
        """Refuse a table of areas, before any work.

        Raises:
            EosfmError: The task's output has no classes in pixels, or see :func:`check_out`.
        """
        number = self._probabilities or isinstance(self._kind, Regression)
        if self._kind.answer != "pixel" or number:
            raise EosfmError("--areas is for maps of classes; leave it out")
        check_out(areas, (".csv",), paths, "--areas")

    def write(self, paths: Sequence[str], out: Path) -> tuple[str, list[dict[str, Any]]]:
        """Write the answers for a scene.

        Returns:
            One line for the user, and the rows of the table of areas, of a map.

        Raises:
            EosfmError: The scene does not fit the task, or see :func:`check_out`.
        """
        fitted, rows = self.fitted, []
        check_out(out, self.suffixes, paths)
        with bounded_cache():
            given = SceneSeries(fitted, paths, self._reading)
            check_out(out, self.suffixes, [file for one in given.scenes for file in one.files])
            job = Job(out, given, self.answer, self._cut, file_hash(self._task))
            if self._kind.answer == "image":
                said = write_table(job)
            elif self._kind.answer == "object":
                said = write_objects(job, self._min_score)
            else:
                said, counted = write_map(job, self._probabilities)
                rows = [*counted.rows(out, fitted.classes)]
        said += of_other_size(given.grid, fitted.gsd) + given_twice(given)
        said += next(filter(None, given.notes), "")
        return said + "; fitted on simulated data" * (fitted.source == "simulated"), rows


def of_other_size(grid: Grid, gsd: float) -> str:
    """A note on pixels at most half or at least twice as large as in training; else empty."""
    metres = grid.metres
    if metres is None or gsd / OTHER < metres < gsd * OTHER:
        return ""
    return f"; its pixels are of {metres:.3g} m, those learnt from of {gsd:.3g} m: resample it"


def given_twice(given: SceneSeries) -> str:
    """A note on a scene that stands for several dates, among which nothing changes; else empty."""
    places = [sorted(map(os.path.realpath, scene.files)) for scene in given.scenes]
    for scene, place in zip(given.scenes, places, strict=True):
        if (count := places.count(place)) > 1:
            return f"; {scene.path} is given for {count} dates: give another image for each"
    return ""


def check_out(out: Path, suffixes: Sequence[str], paths: Sequence[str], option: str = "-o") -> None:
    """Refuse an unsuitable output path, before any work.

    Raises:
        EosfmError: Its suffix is of another format, it is a folder, one of the scenes, a raster
            among those of one or another one that was not written here, or nothing can be written
            there.
    """
    if out.suffix.lower() not in suffixes:
        raise EosfmError(f"{option} {out} is of another format; expected a {' or '.join(suffixes)}")
    if out.is_dir():
        raise EosfmError(f"{option} {out} is a folder; give the name of a file")
    if any(Path(path).resolve() == out.resolve() for path in paths):
        raise EosfmError(f"{option} {out} is a scene; give another name")
    # Such as a band of a scene that the task leaves out.
    if out.exists() and written_elsewhere(out):
        raise EosfmError(
            f"{option} {out} is there, and neither predict nor embed wrote it; expected a new file "
            "or an older map; give another name, or remove it first"
        )
    folders = [Path(path).resolve() for path in paths if Path(path).is_dir()]
    if out.suffix.lower() in RASTERS and out.parent.resolve() in folders:
        raise EosfmError(
            f"{option} {out} would be read as a part of the scene by the next run; write it to "
            "another folder"
        )
    try:
        with temporary_folder(out):
            pass
    except OSError as error:
        raise EosfmError(
            f"{option} {out} cannot be written ({error.strerror}); choose another place, or make "
            "room or give the right to write there"
        ) from None
