"""PNG and JPEG, decoded as a whole and read by window."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.gdal import ALONE, check_sides, expect_plain_images
from eosfm.datasets.native.spec import Window

PLAIN = (".png", ".jpg", ".jpeg")
"""Formats without georeference, 8-bit grey or RGB, that are decoded as a whole."""
PLAIN_FORMATS = ("PNG", "JPEG")
"""What files of these names may hold."""
PNG_DEPTH = slice(24, 25)
"""Where a PNG says how many bits a sample has."""

DECODING = tuple(threading.Lock() for _ in range(64))
"""Locks by which one thread decodes a file while others that want it wait."""


def png_size(path: Path) -> tuple[int, int]:
    """Height and width of a PNG or JPEG in pixels, from its header alone.

    Raises:
        EosfmError: The file is missing or no image.
    """
    with _opened(path) as image:
        check_sides(path, (image.height, image.width))
        return image.height, image.width


def read_png(path: Path, window: Window, mode: str = "RGB", numbers: bool = False) -> np.ndarray:
    """Read a window of a PNG or JPEG: (3, h, w) uint8 for mode RGB, (h, w) uint8 for mode L.

    With ``numbers``, mode L gives the indices of a palette image, and the numbers of a grey image
    of fewer than 8 bits, which are spread over 0 to 255 otherwise.

    A PNG can only be decoded from its first row on, so the last few decoded images are kept:
    reading one image window by window decodes it once.

    Raises:
        EosfmError: The file is missing, truncated or no image.
    """
    stat = path.stat() if path.exists() else None
    version = (stat.st_mtime_ns, stat.st_size) if stat else None
    with DECODING[hash(path) % len(DECODING)]:
        pixels = _decode(path, mode, numbers, version)
    return np.ascontiguousarray(window.cut(pixels))


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
        if numbers and mode == image.mode == "L" and image.format == "PNG":
            bits = path.read_bytes()[PNG_DEPTH][0]
            pixels = pixels // (255 // (2**bits - 1))
    return pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _expect_one_number(path: Path, image: Any) -> None:
    red, *others = image.split()[:3]
    if any(channel.tobytes() != red.tobytes() for channel in others):
        raise EosfmError(
            f"{path} has three channels that differ; expected a number for each pixel; save it "
            "with one channel, or decode its colours as `read_colors` of native/labels.py does"
        )


def _is_sound(content: bytes) -> bool:
    """Whether a PNG has 8 bits per sample and all of its chunks match their checksums.

    Pillow refuses one that lacks bytes; GDAL would fill them in.
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
                    "the file again, as its publisher gives it, or convert it to GeoTIFF"
                )
        with Image.open(path, formats=PLAIN_FORMATS) as image:
            yield image
    except (*faults, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())[:160]
        raise EosfmError(
            f"{path} cannot be read as an image ({reason}); fetch the file again"
        ) from None
