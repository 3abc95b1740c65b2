"""Image files of every format, read by window: GeoTIFF, JPEG 2000, PNG, JPEG."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.spec import Transform, Window

PLAIN = (".png", ".jpg", ".jpeg")
"""Formats without georeference, 8-bit grey or RGB, that are decoded as a whole."""
PLAIN_FORMATS = ("PNG", "JPEG")
"""What files of these names may hold."""
DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".jp2": "JP2OpenJPEG"}
"""GDAL's driver for other names. Left to itself, GDAL goes by the content: a few lines of text that
are called scene.tif make it open other files, or ask a server."""
ALONE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
"""GDAL's option to open a file without the overviews, masks and notes beside it: it would open
them, too, by their content."""
LARGEST_SIDE = 2**17
"""Pixels. A damaged or hostile header asks for more than any memory holds."""
PNG_DEPTH = slice(24, 25)
"""Where a PNG says how many bits a sample has."""

Size = tuple[int, int]
"""Rows and columns."""


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
        _check_sides(path, raster.shape)
        # A system without a place in it, as in archives that were stripped of places, says nothing.
        placed = raster.crs and not raster.transform.is_identity
        crs = raster.crs.to_string() if placed else None
        transform = tuple(raster.transform)[:6] if placed else None
        return Header(raster.height, raster.width, crs, transform)


def read_bands(
    path: Path, window: Window, bands: int, size: Size, numbers: bool = False
) -> np.ndarray:
    """Read all bands of a window as (bands, h, w) in the file's dtype.

    Args:
        path: An image.
        window: Rectangle in pixels, inside the image.
        bands: Number of bands that the file must have; 1 or 3 for PNG and JPEG.
        size: Rows and columns that it must have.
        numbers: Whether a palette's image, or one of a bit a pixel, gives its numbers, as a mask's
            classes, and not how they are shown.

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
        return read_open(raster, window)


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


def png_size(path: Path) -> tuple[int, int]:
    """Height and width of a PNG or JPEG in pixels, from its header alone.

    Raises:
        EosfmError: The file is missing or no image.
    """
    with _opened(path) as image:
        _check_sides(path, (image.height, image.width))
        return image.height, image.width


def read_png(path: Path, window: Window, mode: str = "RGB", numbers: bool = False) -> np.ndarray:
    """Read a window of a PNG or JPEG: (3, h, w) uint8 for mode RGB, (h, w) uint8 for mode L.

    With ``numbers`` a palette's image is its numbers in mode L, and one of a bit a pixel 0 and 1.

    A PNG can only be decoded from its first row on, so the last few decoded images are kept:
    reading one image window by window decodes it once.

    Raises:
        EosfmError: The file is missing, truncated or no image.
    """
    stat = path.stat() if path.exists() else None
    version = (stat.st_mtime_ns, stat.st_size) if stat else None
    with DECODING[hash(path) % len(DECODING)]:  # who wants the same file waits, and has it then
        pixels = _decode(path, mode, numbers, version)
    return np.ascontiguousarray(window.cut(pixels))


DECODING = tuple(threading.Lock() for _ in range(64))


@lru_cache(maxsize=6)
def _decode(path: Path, mode: str, numbers: bool, version: tuple[int, int] | None) -> np.ndarray:
    """Channels-first pixels; ``version`` makes a rewritten file a new cache entry."""
    with _opened(path) as image:
        if image.format == "PNG" and image.mode == mode and _is_sound(path.read_bytes()):
            return _decode_png(path)
        told = numbers and mode == "L" and image.mode in ("P", "1")
        if numbers and mode == "L" and image.mode in ("RGB", "RGBA"):
            _expect_one_number(path, image)
        pixels = np.asarray(image if told else image.convert(mode)).astype(np.uint8, copy=False)
    return pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _expect_one_number(path: Path, image: Any) -> None:
    red, *others = image.split()[:3]
    if any(channel.tobytes() != red.tobytes() for channel in others):
        raise EosfmError(
            f"{path} has three channels that differ; expected a number for each pixel; save it "
            "with one channel, or decode its colours as `read_colors` of native/labels.py does"
        )


def _is_sound(content: bytes) -> bool:
    """Whether a PNG has 8 bits a sample, and all its parts are as they were written.

    Pillow refuses one of which bytes are lost; GDAL fills up what is missing.
    """
    import zlib

    view, start = memoryview(content), 8
    while (end := start + 12 + int.from_bytes(view[start : start + 4])) <= len(view):
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            return False
        if view[start + 4 : start + 8] == b"IEND":
            return content[PNG_DEPTH] == b"\x08"
        start = end
    return False


def _decode_png(path: Path) -> np.ndarray:
    """The pixels of a sound PNG by GDAL, which takes 0.4 of Pillow's time."""
    import rasterio

    expect_plain_images()
    with rasterio.Env(**ALONE), rasterio.open(path, driver="PNG") as raster:
        pixels: np.ndarray = raster.read()
    return pixels if len(pixels) > 1 else pixels[0]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A PNG or JPEG of 8 bits, opened; whatever the decoder finds wrong is one line."""
    import struct
    import zlib

    from PIL import Image

    # Of a damaged file, Pillow lets through what its parsers raise.
    faults = OSError, SyntaxError, ValueError, LookupError, EOFError, struct.error, zlib.error
    try:
        with path.open("rb") as file:
            if file.read(25)[PNG_DEPTH] == b"\x10" and path.suffix.lower() == ".png":
                raise EosfmError(
                    f"{path} has 16 bits per sample, of which 8 would be lost; expected 8; fetch "
                    "the file again, as its publisher gives it"
                )
        with Image.open(path, formats=PLAIN_FORMATS) as image:
            yield image
    except (*faults, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())[:160]
        raise EosfmError(
            f"{path} cannot be read as an image ({reason}); fetch the file again"
        ) from None


def _check_sides(path: Path, size: Size) -> None:
    if max(size) > LARGEST_SIDE:
        raise EosfmError(
            f"{path} says that it has {size[0]}x{size[1]} px; expected at most {LARGEST_SIDE} in "
            "height and width; fetch the file again"
        )
