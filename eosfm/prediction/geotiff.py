"""Writes Cloud Optimized GeoTIFFs, strip by strip and atomically."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.heads.pictures import class_palette
from eosfm.prediction.grid import Grid
from eosfm.prediction.rows import Arrays, Rows
from eosfm.prediction.windows import Strip

BLOCK = 512
CACHE_MB = 256
"""MB of GDAL's block cache for all open files; its default grows with the machine's memory."""

REST = ("no ", "not ", "background", "unlabelled")
"""Prefixes of a first class's name that mark it as background."""
PALE = (240, 240, 235)

MARK = "ENSEMBLE_SHA256"
"""A tag of all maps."""
FEATURE = "component"
"""Name of each band of features, before its number."""

Colour = tuple[int, int, int, int]


@dataclass(frozen=True)
class Form:
    """A raster's bands, and how they follow from answers.

    Attributes:
        dtype: Data type of the file.
        nodata: Value of pixels without an answer.
        names: Names of the bands.
        resampling: Resampling of the overviews, as GDAL names it.
        values: From answers (1, K, n, W) to (bands, n, W).
        options: Creation options of GDAL's GeoTIFF driver.
    """

    dtype: str
    nodata: float
    names: tuple[str, ...]
    resampling: str
    values: Callable[[Tensor], Tensor]
    options: Mapping[str, int] = field(default_factory=dict)


def finished(strip: Strip, form: Form) -> Arrays:
    """A strip as written: ``values`` (bands, n, W), and ``unknown`` (n, W) without an answer."""
    values = form.values(strip.values[None]).numpy()
    known = np.where(strip.unknown, np.array(form.nodata, form.dtype), values)
    return {"values": known, "unknown": strip.unknown}


def bounded_cache() -> AbstractContextManager[Any]:
    """Bound GDAL's block cache; to be entered before the first file is opened."""
    import rasterio

    env: AbstractContextManager[Any] = rasterio.Env(GDAL_CACHEMAX=CACHE_MB)
    return env


@contextmanager
def writing(path: Path, grid: Grid, form: Form) -> Iterator[Any]:
    """Open a raster to write strips and metadata to; on exit it becomes a COG.

    GDAL can only copy a finished raster to a COG, so the strips go to a plain GeoTIFF first.

    Args:
        path: The file to write.
        grid: Its size, CRS and transform.
        form: Its bands.

    Raises:
        EosfmError: GDAL cannot write it, as on a full disk.
    """
    import rasterio
    from rasterio import shutil
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    place: dict[str, Any] = {"crs": grid.crs} if grid.crs else {}
    if not grid.transform.is_identity:
        place["transform"] = grid.transform
    layout = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "if_safer"}
    with atomic(path) as beside:
        plain = beside.with_name(beside.name.removesuffix(".part") + "-strips.part")
        place_told = ""
        try:
            with rasterio.open(
                plain, "w", driver="GTiff", height=grid.height, width=grid.width,
                count=len(form.names), dtype=form.dtype, nodata=form.nodata, compress="deflate",
                zlevel=1, interleave="band", **place, **layout, **form.options,
            ) as raster:  # fmt: skip
                raster.descriptions = form.names
                yield raster
            shutil.copy(
                plain, beside, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", BLOCKSIZE=BLOCK,
                OVERVIEW_RESAMPLING=form.resampling, BIGTIFF="IF_SAFER", **form.options,
            )  # fmt: skip
            _read_through(beside)
            if (told := _notes(beside)).exists():
                place_told = told.read_text()
        except (RasterioError, CPLE_BaseError) as error:  # GDAL hides the system's error
            raise EosfmError(
                f"{path} cannot be used (not written whole, as on a full disk: {error}); make room "
                "there, and run again"
            ) from None
        finally:
            for file in (plain, _notes(plain), _notes(beside)):
                file.unlink(missing_ok=True)
    _notes(path).unlink(missing_ok=True)  # metadata of a former file
    if place_told:
        with atomic(_notes(path)) as beside:
            beside.write_text(place_told)


def _notes(path: Path) -> Path:
    """GDAL's file beside a GeoTIFF for what that cannot hold, such as the CRS of a turned globe."""
    return path.with_name(f"{path.name}.aux.xml")


def _read_through(path: Path) -> None:
    """Read every block, which checks its checksum: GDAL does not report a disk full at the end.

    Raises:
        RasterioError: A block is truncated.
    """
    import rasterio

    with rasterio.open(path) as whole:
        levels = range(-1, len(whole.overviews(1)))
    for level in levels:
        with rasterio.open(path, **({"overview_level": level} if level >= 0 else {})) as raster:
            for _, window in raster.block_windows(1):
                raster.read(window=window)


def written_elsewhere(path: Path) -> bool:
    """Whether a file is a GeoTIFF, and neither a map nor features that were written here.

    These keep their marks when GDAL converts them.
    """
    import rasterio
    from rasterio.errors import RasterioIOError

    from eosfm.datasets.native.gdal import expect_plain_images

    expect_plain_images()
    try:
        with rasterio.open(path, driver="GTiff") as raster:
            return MARK not in raster.tags() and raster.descriptions[0] != f"{FEATURE} 1"
    except RasterioIOError:
        return False


def written(raster: Any, rows: Rows) -> Iterator[Arrays]:
    """Write kept rows of ``values`` (K, n, W) and ``unknown`` (n, W) into an open raster.

    Yields:
        Each row, for statistics of the whole.
    """
    from rasterio.windows import Window

    row = 0
    for kept in rows.read():
        _, height, width = kept["values"].shape
        raster.write(kept["values"], window=Window(0, row, width, height))
        row += height
        yield kept


def write_categories(path: Path, classes: Sequence[str]) -> None:
    """Write the class names of a map's only band to GDAL's ``.aux.xml`` file beside it."""
    notes = _notes(path)
    root = ElementTree.parse(notes).getroot() if notes.exists() else Element("PAMDataset")
    band = root.find("PAMRasterBand[@band='1']")
    if band is None:
        band = SubElement(root, "PAMRasterBand", band="1")
    names = SubElement(band, "CategoryNames")
    for name in classes:
        SubElement(names, "Category").text = name
    ElementTree.indent(root, " ")
    with atomic(notes) as beside:
        beside.write_text(ElementTree.tostring(root, encoding="unicode") + "\n")


def class_colours(classes: Sequence[str]) -> dict[int, Colour]:
    """A colour map for rasterio: RGBA from 0 to 255 per class, as in the report's pictures.

    But water takes the first class's colour, blue, and a first class that is background is pale.
    """
    rgb = (255 * class_palette(len(classes))).round().astype(int).tolist()
    if "water" in classes:
        water = classes.index("water")
        rgb[0], rgb[water] = rgb[water], rgb[0]
    if classes[0].startswith(REST):
        rgb[0] = PALE
    return {k: (r, g, b, 255) for k, (r, g, b) in enumerate(rgb)}
