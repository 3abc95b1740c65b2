"""Scenes made of raster files: which files, how many bands of each, what their values become."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.splits import Split
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.raster import Header, read_bands, read_header
from eosfm.datasets.readers.values import Prepare
from eosfm.datasets.spec import Scene, Window


def as_stored(pixels: np.ndarray, path: Path) -> np.ndarray:
    """The pixels as they are."""
    return pixels


@dataclass(frozen=True)
class Part:
    """A file of a scene.

    Attributes:
        path: A GeoTIFF; None where there is no image: its pixels are NaN.
        bands: Bands that the file has.
        prepare: What is made of its pixels.
        step: Its pixel as a multiple of the scene's. Coarse pixels are repeated.
        dtype: Type of its pixels, checked where the file gives the scene's grid; None for any.
        raw: Read the stored bands whatever they are called: GDAL would convert cyan, magenta,
            yellow and black to red, green, blue and an opaque fourth band.
    """

    path: Path | None
    bands: int = 1
    prepare: Prepare = as_stored
    step: int = 1
    dtype: str | None = None
    raw: bool = False

    @property
    def file(self) -> Path:
        """What GDAL opens."""
        assert self.path
        return Path(f"GTIFF_RAW:{self.path.absolute()}") if self.raw else self.path

    def header(self) -> Header:
        """Size and georeference, once bands and dtype are as expected."""
        return read_header(self.file, self.bands, self.dtype)

    def read(self, size: tuple[int, int], window: Window) -> np.ndarray:
        """A window (C, h, w) of the scene, whose size in pixels is given.

        Raises:
            EosfmError: The file is damaged, or of another size or number of bands.
        """
        if self.path is None:
            nan = np.full((self.bands, window.height, window.width), np.nan, np.float32)
            return self.prepare(nan, Path())
        if self.step == 1:
            return self.prepare(read_bands(self.file, window, self.bands, size), self.path)
        return self._read_coarse(size, window)

    def read_all(self) -> np.ndarray:
        """The first band of the whole file (H, W)."""
        height, width = self.header()[:2]
        return self.read((height, width), Window(0, 0, height, width))[0]

    def _read_coarse(self, size: tuple[int, int], window: Window) -> np.ndarray:
        assert self.path
        step = self.step
        row, col = window.row // step, window.col // step
        bottom, right = window.row + window.height, window.col + window.width
        below = Window(row, col, -(-bottom // step) - row, -(-right // step) - col)
        coarse = (-(-size[0] // step), -(-size[1] // step))
        pixels = self.prepare(read_bands(self.file, below, self.bands, coarse), self.path)
        fine = pixels.repeat(step, axis=-2).repeat(step, axis=-1)
        top, left = row * step, col * step
        return fine[:, window.row - top : bottom - top, window.col - left : right - left]


def read_parts(
    parts: Sequence[Part], size: tuple[int, int], window: Window, dates: int = 1
) -> np.ndarray:
    """A window (T, C, h, w) from as many files of each date, in the type that holds them all."""
    pixels = np.concatenate([part.read(size, window) for part in parts])
    return pixels.reshape(dates, -1, *pixels.shape[1:])


def read_target(part: Part, size: tuple[int, int], window: Window) -> np.ndarray:
    """A window (h, w) of the first band."""
    return part.read(size, window)[0]


def raster_scene(
    dataset: str,
    id: str,
    split: Split,
    image: Sequence[Part],
    target: Part,
    grid: Part | None = None,
    dates: Sequence[str] = (),
    frames: int = 1,
) -> Scene:
    """A scene whose image and target are raster files.

    Args:
        dataset: Whose, for error messages.
        id: Unique within the dataset.
        split: Its split.
        image: Files in the order of dates, then of bands.
        target: The file of the classes or values.
        grid: The file that gives size and georeference; the target's by default.
        dates: ISO dates, where known.
        frames: Number of dates where they are not known.

    Raises:
        EosfmError: A file is missing, or the one that gives the grid is not as expected.
    """
    files = tuple(part.path for part in (*image, target) if part.path)
    for file in files:
        require(file, dataset, f"a file of {id} ({split})")
    header = (grid or target).header()
    size = (header.height, header.width)
    return Scene(
        id=id,
        split=split,
        height=header.height,
        width=header.width,
        files=files,
        image=partial(read_parts, tuple(image), size, dates=max(frames, len(dates))),
        target=partial(read_target, target, size),
        crs=header.crs,
        transform=header.transform,
        dates=tuple(dates),
    )
