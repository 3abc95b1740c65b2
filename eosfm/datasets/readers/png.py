"""8-bit PNG and JPEG images, the native files of several aerial datasets."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.spec import Window


def png_size(path: Path) -> tuple[int, int]:
    """Height and width of an image in pixels, from its header alone.

    Raises:
        EosfmError: The file is missing or no image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.height, image.width
    except OSError as error:
        raise _unreadable(path, error) from None


def read_png(path: Path, window: Window, mode: str = "RGB") -> np.ndarray:
    """Read a window of an image: (3, h, w) uint8 for mode RGB, (h, w) uint8 for mode L.

    A PNG can only be decoded from its first row on, so the last few decoded images are kept:
    reading one image window by window decodes it once.

    Raises:
        EosfmError: The file is missing, truncated or no image.
    """
    stat = path.stat() if path.exists() else None
    pixels = _decode(path, mode, (stat.st_mtime_ns, stat.st_size) if stat else None)
    rows = slice(window.row, window.row + window.height)
    cols = slice(window.col, window.col + window.width)
    return np.ascontiguousarray(pixels[..., rows, cols])


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write (3, h, w) or (h, w) uint8 pixels as PNG, making the folder where needed."""
    _write(path, pixels, compress_level=1)


def write_jpeg(path: Path, pixels: np.ndarray) -> None:
    """Write (3, h, w) uint8 pixels as JPEG, making the folder where needed."""
    _write(path, pixels, quality=95)


def _write(path: Path, pixels: np.ndarray, **options: Any) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    interleaved = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    Image.fromarray(interleaved).save(path, **options)


@lru_cache(maxsize=6)
def _decode(path: Path, mode: str, version: tuple[int, int] | None) -> np.ndarray:
    """Channels-first pixels; ``version`` makes a rewritten file a new cache entry."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert(mode))
    except OSError as error:
        raise _unreadable(path, error) from None
    return pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _unreadable(path: Path, error: OSError) -> EosfmError:
    return EosfmError(f"{path} cannot be read as an image ({error}); fetch the file again")
