"""Runs a fitted task on a scene: a map of pixels, a table of windows, or boxes of objects."""

from collections.abc import Sequence
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.files import temporary_folder
from eosfm.evaluation.fitted import file_hash, read_fitted
from eosfm.kinds import get_kind
from eosfm.kinds.regression import Regression
from eosfm.prediction.areas import write_areas
from eosfm.prediction.cut import Cut
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
    fitted = read_fitted(task)
    answer = get_kind(fitted.kind).answer
    check_out(out, SUFFIXES[answer], paths)
    if probabilities and answer != "pixel":
        raise EosfmError(f"task {fitted.task} makes no map; leave --probabilities out")
    if answer == "image" and cut.overlap is not None:
        raise EosfmError(f"task {fitted.task} takes windows side by side; leave --overlap out")
    if min_score is not None and answer != "object":
        raise EosfmError(f"task {fitted.task} finds no objects; leave --min-score out")
    if areas is not None:
        if answer != "pixel" or probabilities or isinstance(get_kind(fitted.kind), Regression):
            raise EosfmError("--areas is for maps of classes; leave it out")
        check_out(areas, (".csv",), paths, "--areas")
    with bounded_cache():
        given = SceneSeries(fitted, paths, reading)
        check_out(out, SUFFIXES[answer], [file for scene in given.scenes for file in scene.files])
        run = answering(load_model(fitted, artifact), cut.where)
        job = Job(out, given, run, cut, file_hash(task))
        if answer == "image":
            said = write_table(job)
        elif answer == "object":
            said = write_objects(job, min_score)
        else:
            said, counted = write_map(job, probabilities)
            if areas is not None:
                write_areas(areas, counted.rows(out, fitted.classes))
    said += of_other_size(given.grid, fitted.gsd) + next(filter(None, given.notes), "")
    return said + "; fitted on simulated data" * (fitted.source == "simulated")


def of_other_size(grid: Grid, gsd: float) -> str:
    """A note on pixels at most half or at least twice as large as in training; else empty."""
    metres = grid.metres
    if metres is None or gsd / OTHER < metres < gsd * OTHER:
        return ""
    return f"; its pixels are of {metres:.3g} m, those learnt from of {gsd:.3g} m: resample it"


def check_out(out: Path, suffixes: Sequence[str], paths: Sequence[str], option: str = "-o") -> None:
    """Refuse an unsuitable output path, before any work.

    Raises:
        EosfmError: Its suffix is of another format, it is a folder, one of the scenes or another
            raster that was not written here, or nothing can be written there.
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
    try:
        with temporary_folder(out):
            pass
    except OSError as error:
        raise EosfmError(
            f"{option} {out} cannot be written ({error.strerror}); choose another place, or make "
            "room or give the right to write there"
        ) from None
