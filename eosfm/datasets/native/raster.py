"""Image files of every format, read by window: GeoTIFF, JPEG 2000, PNG, JPEG."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.gdal import check_sides, open_raster, read_open
from eosfm.datasets.native.png import PLAIN, png_size, read_png
from eosfm.datasets.native.spec import Size, Transform, Window


class Header(NamedTuple):
    """Facts of a raster that need no pixels.

    Attributes:
        height: Rows.
        width: Columns.
        crs: For example ``EPSG:32633``; None without georeference.
        transform: From pixel to CRS; None likewise.
    """

    height: int
    width: int
    crs: str | None
    transform: Transform | None


def read_header(path: Path, bands: int, dtype: str | None) -> Header:
    """Read an image's header and check that it is the kind of file expected.

    Args:
        path: An image. PNG and JPEG are turned into the bands wanted when read.
        bands: Number of bands that the dataset's files have.
        dtype: Numpy dtype that they have; None where it is not fixed.

    Raises:
        EosfmError: The file is missing, truncated, or has other bands or another dtype.
    """
    if path.suffix.lower() in PLAIN:
        _expect_plain_bands(path, bands)
        return Header(*png_size(path), None, None)
    with open_raster(path) as raster:
        if raster.count != bands or (dtype and set(raster.dtypes) != {dtype}):
            raise EosfmError(
                f"{path} has {raster.count} band(s) of {raster.dtypes[0]}; expected {bands} of "
                f"{dtype or 'any type'}; fetch the dataset's own files again"
            )
        check_sides(path, raster.shape)
        # A CRS without a transform, as in archives stripped of locations, says nothing.
        placed = raster.crs and not raster.transform.is_identity
        crs = raster.crs.to_string() if placed else None
        transform = tuple(raster.transform)[:6] if placed else None
        return Header(raster.height, raster.width, crs, transform)


def read_bands(
    path: Path,
    window: Window,
    bands: int,
    size: Size,
    numbers: bool = False,
    blank: bool = False,
) -> np.ndarray:
    """Read all bands of a window as (bands, h, w) in the file's dtype.

    Args:
        path: An image.
        window: Rectangle in pixels, inside the image.
        bands: Number of bands that the file must have; 1 or 3 for PNG and JPEG.
        size: Rows and columns that it must have.
        numbers: Whether palette and 1-bit images give their stored indices, such as a mask's
            classes, and not their display colours.
        blank: Whether a nodata value that a file of real numbers declares is NaN.

    Raises:
        EosfmError: The file is missing or damaged, or has another shape.
    """
    if path.suffix.lower() in PLAIN:
        _expect_plain_bands(path, bands)
        _check_shape(path, (bands, *png_size(path)), (bands, *size))
        pixels = read_png(path, window, "RGB" if bands == 3 else "L", numbers)
        return pixels.reshape(bands, window.height, window.width)
    with open_raster(path) as raster:
        _check_shape(path, (raster.count, *raster.shape), (bands, *size))
        stored: np.ndarray = read_open(raster, window)
        if blank and raster.nodata is not None and stored.dtype.kind == "f":
            stored[stored == raster.nodata] = np.nan
        return stored


def _expect_plain_bands(path: Path, bands: int) -> None:
    if bands not in (1, 3):
        raise EosfmError(
            f"{path} is to have {bands} bands; expected 1 or 3, all that is read of a PNG or JPEG; "
            "convert it to GeoTIFF"
        )


def _check_shape(path: Path, found: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    if found != expected:
        raise EosfmError(
            "{} has {} band(s) of {}x{} px; expected {} of {}x{}; fetch the file again".format(
                path, *found, *expected
            )
        )


def moved(transform: Transform, window: Window) -> Transform:
    """The transform of a window of an image whose own is given."""
    a, b, c, d, e, f = transform
    col, row = window.col, window.row
    return a, b, c + a * col + b * row, d, e, f + d * col + e * row
