"""Where the files of a scene declare something else than its dataset says of them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.bands import find
from eosfm.datasets.native.gdal import DRIVERS, open_raster
from eosfm.datasets.native.spec import Dataset, Scene, Window
from eosfm.kinds import get_kind
from eosfm.prediction.names import described_bands

ROWS = 512
"""Of a label that are read at once."""
MOST = 32
"""Files of the scene that are looked at: series have hundreds, all alike."""
AS_STORED = (1.0, 0.0)
"""Scale and offset of a file that declares none."""
TEN_THOUSANDTHS = (1e-4, 0.0)
"""Those of reflectance times 10,000, which is its unit here."""
HALF = 0.51
"""Of a pixel: a grid that is told by the middle of its first pixel begins half of one away."""


def contradictions(dataset: Dataset, scene: Scene, own: bool) -> Iterator[str]:
    """Compare what GeoTIFFs declare with the dataset.

    Readers look at pixels alone, and may rearrange them: what is declared may be wrong, or have
    been seen to. So these are hints, one of each kind.

    Args:
        dataset: What is said of the data.
        scene: One scene of them; the last of its files is that of a target with values per pixel.
        own: Whether somebody described data of their own. Readers of published ones are known to
            see to nodata and scale.

    Yields:
        What a file declares, what the dataset says, and what to do.
    """
    *others, last = scene.files
    answers = get_kind(dataset.kind).answer == "pixel" and bool(others)
    with ExitStack() as opened:
        images = _open(others if answers else scene.files, opened)
        labels = _open([last], opened) if answers else []
        for look in (_bands, _nodata, _scale) if own else (_bands,):
            yield from islice((told for raster in images for told in look(raster, dataset)), 1)
        if own and dataset.kind == "regression":
            yield from islice((told for raster in labels for told in _unlabelled(raster, scene)), 1)
            unit = (dataset.target_unit or "the values of the dataset",)
            yield from (told for raster in labels for told in _scaled(raster, "labels", unit))
        if own:
            every = (told for raster in (*images, *labels) for told in _masked(raster))
            yield from islice(every, 1)
        yield from islice(_grids([*images, *labels]), 1)


def _open(paths: Sequence[Path], opened: ExitStack) -> list[Any]:
    """The rasters among some files, open until the stack is left; not all of many."""
    rasters = (path for path in paths if path.suffix.lower() in DRIVERS and path.is_file())
    return [opened.enter_context(open_raster(path)) for path in islice(rasters, MOST)]


def _bands(raster: Any, dataset: Dataset) -> Iterator[str]:
    """Names in another order than the dataset's; unknown ones tell nothing."""
    names = described_bands(Path(raster.name).name, raster.descriptions)
    known = [name and find(name, dataset.bands) for name in names]
    there = [dataset.bands.index(name) for name in known if name]
    if len(there) == len(names) and there != sorted(there):
        yield (
            f"{raster.name} names its bands {', '.join(map(str, names))}, and those of the dataset "
            f"are {', '.join(dataset.bands)}; make sure that its reader puts them in this order"
        )


def _nodata(raster: Any, dataset: Dataset) -> Iterator[str]:
    known = {dataset.nodata, *(group.nodata for group in dataset.groups)}
    for value in raster.nodatavals:
        if value is not None and not isnan(value) and value not in known:
            yield (
                f"{raster.name} declares the nodata value {value:g}, and the dataset has "
                f"{'none' if dataset.nodata is None else f'{dataset.nodata:g}'}; state `nodata`, "
                "or make sure that its reader gives no such pixel"
            )


def _unlabelled(raster: Any, scene: Scene) -> Iterator[str]:
    """A label's nodata value that the reader gives as a number like any other."""
    value = raster.nodata
    if value is None or isnan(value):
        return
    for row in range(0, scene.height, ROWS):
        labels = np.asarray(
            scene.target(Window(row, 0, min(ROWS, scene.height - row), scene.width))
        )
        with np.errstate(over="ignore"):  # the lowest of float64 is none of float32
            wanted = labels.dtype.type(value) if labels.dtype.kind == "f" else value
        if (labels == wanted).any():
            yield (
                f"{raster.name} declares the nodata value {value:g}, and labels have it; let the "
                "reader give NaN where nothing is labelled"
            )
            return


def _masked(raster: Any) -> Iterator[str]:
    """A mask in the file, which maps respect and readers do not see."""
    if any([flag.name for flag in flags] == ["per_dataset"] for flags in raster.mask_flag_enums):
        yield (
            f"{raster.name} has a mask of its own, and pixels below it are read like others; write "
            "a nodata value there, and state it, or remove the mask"
        )


def _scale(raster: Any, dataset: Dataset) -> Iterator[str]:
    known = TEN_THOUSANDTHS if set(dataset.units) == {"reflectance_1e4"} else AS_STORED
    return _scaled(raster, "pixels", dataset.units, known)


def _scaled(
    raster: Any, what: str, units: Sequence[str], known: tuple[float, float] = AS_STORED
) -> Iterator[str]:
    """A scale that nobody applies, unless it is the known one."""
    for scaling in zip(raster.scales, raster.offsets, strict=True):
        if scaling not in (AS_STORED, known):
            yield (
                f"{raster.name} declares a scale of {scaling[0]:g} and an offset of "
                f"{scaling[1]:g}, and {what} are read as stored; make sure that its reader gives "
                f"{', '.join(dict.fromkeys(units))}"
            )


def _grids(rasters: list[Any]) -> Iterator[str]:
    """Files of one pixel size that lie apart, such as an image and a mask."""
    placed = [raster for raster in rasters if raster.crs and not raster.transform.is_identity]
    for first, other in ((placed[0], other) for other in placed[1:]):
        if first.crs != other.crs:
            yield (
                f"{first.name} is in {first.crs}, and {other.name} in {other.crs}; bring them to "
                "one grid, since they are taken pixel by pixel"
            )
        elif fault := _apart(first, other):
            yield (
                f"{other.name} {fault} from {first.name}; bring them to one grid, since they are "
                "taken pixel by pixel"
            )


def _apart(first: Any, other: Any) -> str | None:
    """Where another file's grid begins, or ends, off that of the first; None where it does not.

    Files of other pixels, such as coarse bands, begin where the first does.
    """
    sides = [abs(raster.transform.determinant) ** 0.5 for raster in (first, other)]
    limit = max(1.0, sides[1] / sides[0]) * HALF
    corners = {"begins": (0, 0)}
    if first.shape == other.shape:  # read pixel by pixel, whatever size is declared
        corners["ends"] = (first.width, first.height)
    for word, (width, height) in corners.items():
        cols, rows = ~first.transform * (other.transform * (width, height))
        if max(abs(cols - width), abs(rows - height)) > limit:
            return f"{word} {cols - width:+.3g} columns and {rows - height:+.3g} rows"
    return None
