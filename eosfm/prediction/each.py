"""Runs a fitted task on several scenes, each to a file of its own in a folder."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eosfm.core.errors import EosfmError, line_of
from eosfm.prediction.areas import write_areas
from eosfm.prediction.opening import is_elsewhere
from eosfm.prediction.predict import Predictor, check_out


@dataclass(frozen=True)
class Told:
    """What became of a scene.

    Attributes:
        line: One line for the user.
        failed: Whether nothing was written.
    """

    line: str
    failed: bool


def predict_each(
    predictor: Predictor, paths: Sequence[str], folder: Path, areas: Path | None = None
) -> Iterator[Told]:
    """Write the answers for each scene; one that cannot be read leaves the others as they are.

    Args:
        predictor: The task.
        paths: The scenes; a folder or a STAC collection may be of several dates.
        folder: Where files are written, named like the scenes.
        areas: A .csv file to write the areas of all maps to; None for none.

    Raises:
        EosfmError: The task does not open, two scenes have one name, or an output cannot be
            written.
    """
    suffixes = predictor.suffixes
    outs: dict[Path, str] = {}
    scenes = {Path(path).resolve() for path in paths}
    for path in dict.fromkeys(paths):
        out = folder / f"{_stem(path)}{suffixes[0]}"
        if (other := outs.setdefault(out, path)) != path:
            raise EosfmError(
                f"{other} and {path} would both be written to {out}; rename one, or map it with a "
                "command of its own"
            )
        check_out(out, suffixes, [str(out)] if out.resolve() in scenes else [])
    if areas is not None:
        predictor.check_areas(areas, paths)
    _ = predictor.answer  # what is wrong with the task is no scene's fault
    rows = []
    for out, path in outs.items():
        try:
            line, counted = predictor.write([path], out)
        except Exception as error:
            told = line_of(error)
            if told is None:
                raise
            yield Told(told if path in told else f"{path}: {told}", failed=True)
            continue
        rows += counted
        if areas is not None:
            write_areas(areas, rows)
        yield Told(line, failed=False)


def _stem(path: str) -> str:
    """The name of a scene's output, without a suffix."""
    place = path.partition("?")[0] if is_elsewhere(path) else os.path.abspath(path)
    name = Path(place)
    return name.name if name.is_dir() and name.suffix.lower() != ".safe" else name.stem
