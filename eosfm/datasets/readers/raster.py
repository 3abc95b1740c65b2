"""One way to read image files, whatever their format, and one way to write them."""

from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.readers.geotiff import Header, read_bands, read_header
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Window

PLAIN = (".png", ".jpg")
"""Formats without georeference, 8-bit grey or RGB, that are decoded as a whole."""


def read_facts(path: Path, bands: int, dtype: str | None = "uint8") -> Header:
    """Size and georeference of an image, from its header.

    Args:
        path: A PNG, a JPEG or a GeoTIFF.
        bands: Bands that the file must have; PNG and JPEG are turned into them when read.
        dtype: Numpy dtype that it must have; None where it is not fixed.

    Raises:
        EosfmError: The file is missing, damaged or of another kind.
    """
    if path.suffix in PLAIN:
        return Header(*png_size(path), None, None)
    return read_header(path, bands, dtype)


def read_window(path: Path, bands: int, size: tuple[int, int], window: Window) -> np.ndarray:
    """Read a window as (bands, h, w) in the file's dtype.

    Args:
        path: A PNG, a JPEG or a GeoTIFF.
        bands: 1 or 3 for PNG and JPEG; for GeoTIFF the number that the file must have.
        size: Rows and columns that it must have.
        window: Rectangle in pixels, inside the image.

    Raises:
        EosfmError: The file is missing, damaged or of another shape.
    """
    if path.suffix not in PLAIN:
        return read_bands(path, window, bands, size)
    if (found := png_size(path)) != size:
        raise EosfmError(
            f"{path} has {found[0]}x{found[1]} px; expected {size[0]}x{size[1]}, as the files of "
            "one scene agree in size; fetch them again"
        )
    pixels = read_png(path, window, mode="RGB" if bands == 3 else "L")
    return pixels.reshape(bands, window.height, window.width)
