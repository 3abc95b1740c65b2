"""Open rasters with GDAL, by the driver that their suffix implies and without sidecar files."""

import warnings
from pathlib import Path
from typing import Any

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.spec import Size, Window

DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".jp2": "JP2OpenJPEG"}
"""GDAL driver by suffix. By default GDAL goes by content: a few lines of text named scene.tif could
make it open other files, or contact a server."""
ALONE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
"""GDAL's option to open a file without the overviews, masks and notes beside it: it would open
them, too, by their content."""
LARGEST_SIDE = 2**17
"""Pixels. A damaged or hostile header asks for more than any memory holds."""


def open_raster(path: Path):  # type: ignore[no-untyped-def]
    """Open a raster for reading with rasterio.

    Datasets of plain images have no georeference; rasterio's warning about that is left out.

    Raises:
        EosfmError: The file is missing or truncated, not of the format that its name says, or no
            :func:`plain` one.
    """
    import rasterio
    from rasterio.errors import RasterioIOError

    expect_plain_images()
    driver = DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise EosfmError(f"{path} has another ending; expected {', '.join(DRIVERS)}; rename it")
    try:
        with rasterio.Env(**ALONE):
            return plain(rasterio.open(path, driver=driver))
    except (RasterioIOError, ValueError) as error:  # ValueError: texts that are not UTF-8
        raise EosfmError(
            f"{path} cannot be read as a raster ({str(error)[:120]}); fetch the file again"
        ) from None


def plain(raster: Any) -> Any:
    """The same raster, if its pixels are real numbers of its own file.

    Raises:
        EosfmError: It has complex numbers, of which half would be lost, or names another file or
            address for its overviews, which GDAL would open whatever it is.
    """
    if any(dtype.startswith("complex") for dtype in raster.dtypes):
        raise EosfmError(
            f"{raster.name} has complex numbers; expected real ones, such as decibels; convert it"
        )
    if "OVERVIEW_FILE" in raster.tags(ns="OVERVIEWS"):
        raise EosfmError(
            f"{raster.name} has overviews elsewhere; expected none; copy it with gdal_translate"
        )
    return raster


def read_open(raster: Any, window: Window, **options: Any) -> Any:
    """Read a window (C, h, w) of an open raster.

    Args:
        raster: From :func:`open_raster`.
        window: Rectangle in pixels, inside the raster.
        options: Of rasterio's ``read``.

    Raises:
        EosfmError: The file is damaged.
    """
    from rasterio.errors import RasterioIOError
    from rasterio.windows import Window as RasterWindow

    part = RasterWindow(window.col, window.row, window.width, window.height)
    try:
        return raster.read(window=part, **options)
    except RasterioIOError as error:
        raise EosfmError(
            f"{raster.name} is damaged ({str(error)[:120]}); fetch the file again"
        ) from None


def expect_plain_images() -> None:
    """Leave out rasterio's warning that an image has no georeference.

    For the whole process: rasters are opened in threads, and warnings' own contexts are not safe
    there.
    """
    from rasterio.errors import NotGeoreferencedWarning

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)


def check_sides(path: Path, size: Size) -> None:
    """Refuse an image that says it has more rows or columns than any has."""
    if max(size) > LARGEST_SIDE:
        raise EosfmError(
            f"{path} says that it has {size[0]}x{size[1]} px; expected at most {LARGEST_SIDE} in "
            "height and width; fetch the file again"
        )
