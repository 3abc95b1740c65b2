"""Scenes made of image files: which files, how many bands of each, what their values become."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.splits import Split
from eosfm.datasets.native.listing import require
from eosfm.datasets.native.raster import Header, moved, read_bands, read_header
from eosfm.datasets.native.settled import settled
from eosfm.datasets.native.spec import Scene, Size, Window
from eosfm.datasets.native.values import Prepare, as_stored


@dataclass(frozen=True)
class Part:
    """An image file of a scene, or the file of its target.

    Attributes:
        path: The file; None where there is no image: its pixels are NaN.
        bands: Bands that the file has; 1 or 3 for PNG and JPEG.
        prepare: What is made of its pixels.
        step: Its pixel size as a multiple of the scene's; coarse pixels are repeated.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "prepare", settled(self.prepare))

    @property
    def file(self) -> Path:
        """What GDAL opens."""
        assert self.path
        return Path(f"GTIFF_RAW:{self.path.absolute()}") if self.raw else self.path

    def header(self) -> Header:
        """Size and georeference, once bands and dtype are as expected."""
        return read_header(self.file, self.bands, self.dtype)

    def read(self, size: Size, window: Window) -> np.ndarray:
        """A window (C, h, w) of the scene, whose size in pixels is given.

        Raises:
            EosfmError: The file is damaged, or of another size or number of bands.
        """
        return self._read(size, window)

    def target(self, size: Size, window: Window) -> np.ndarray:
        """A window (h, w) of the first band, a palette's as its numbers.

        Where nothing is made of a file of real numbers, its nodata value is NaN: as a label it
        would be learnt like any other.
        """
        return self._read(size, window, target=True)[0]

    def read_all(self) -> np.ndarray:
        """The first band of the whole file (H, W)."""
        height, width = self.header()[:2]
        return self.target((height, width), Window(0, 0, height, width))

    def _read(self, size: Size, window: Window, target: bool = False) -> np.ndarray:
        if self.path is None:
            nan = np.full((self.bands, window.height, window.width), np.nan, np.float32)
            return self.prepare(nan, Path())
        step = self.step
        row, col = window.row // step, window.col // step
        bottom, right = window.row + window.height, window.col + window.width
        below = Window(row, col, -(-bottom // step) - row, -(-right // step) - col)
        coarse = (-(-size[0] // step), -(-size[1] // step))
        blank = target and self.prepare is as_stored
        pixels = read_bands(self.file, below, self.bands, coarse, target, blank)
        pixels = self.prepare(pixels, self.path)
        if step == 1:
            return pixels
        fine = pixels.repeat(step, axis=-2).repeat(step, axis=-1)
        return window.moved(-row * step, -col * step).cut(fine)


@dataclass(frozen=True)
class Label:
    """The file of a target that takes more than the pixels of a window: colours, boxes, polygons.

    Attributes:
        path: The file.
        decode: Gives the target of a window from the file and the image's size.
    """

    path: Path
    decode: Callable[[Path, Size, Window], np.ndarray]

    def __post_init__(self) -> None:
        object.__setattr__(self, "decode", settled(self.decode))

    def target(self, size: Size, window: Window) -> np.ndarray:
        """The target of a window."""
        return self.decode(self.path, size, window)


def rgb(path: Path) -> Part:
    """A file of red, green and blue in 8 bits."""
    return Part(path, 3, dtype="uint8")


def constant(value: object, file: Path) -> Label:
    """The target of a whole image (a class, or a flag per class), from a file."""
    return Label(file, lambda path, size, window: np.array(value))


def read_parts(parts: Sequence[Part], size: Size, window: Window, dates: int = 1) -> np.ndarray:
    """A window (T, C, h, w) from as many files of each date, in the type that holds them all."""
    pixels = np.concatenate([part.read(size, window) for part in parts])
    return pixels.reshape(dates, -1, *pixels.shape[1:])


def raster_scene(
    id: str,
    split: Split,
    image: Sequence[Part],
    target: Part | Label,
    *,
    grid: Part | None = None,
    dates: Sequence[str] = (),
    frames: int = 1,
    product: str = "",
) -> Scene:
    """A scene whose image is made of files on one grid, with a file of the target.

    Args:
        id: Unique within the dataset.
        split: Its split.
        image: Files in the order of dates, then of bands.
        target: The file of the classes, values or objects.
        grid: The file that gives size and georeference; by default the image's first of the
            scene's pixel size.
        dates: ISO dates, where known.
        frames: Number of dates where they are not known.
        product: What it was cut from, where several scenes were cut from one.

    Raises:
        EosfmError: A file is missing, or the one that gives the grid is not as expected.
    """
    files = tuple(dict.fromkeys(part.path for part in (*image, target) if part.path))
    for file in files:
        require(file, f"a file of {id} ({split})")
    finest = (part for part in image if part.path and part.step == 1)
    header = (grid or next(finest, image[0])).header()
    size = (header.height, header.width)
    return Scene(
        id=id,
        split=split,
        height=header.height,
        width=header.width,
        files=files,
        image=partial(read_parts, tuple(image), size, dates=max(frames, len(dates))),
        target=partial(target.target, size),
        crs=header.crs,
        transform=header.transform,
        dates=tuple(dates),
        product=product,
    )


def crop(scene: Scene, id: str, split: Split, part: Window) -> Scene:
    """A part of a scene as a scene of its own."""
    return replace(
        scene,
        id=id,
        split=split,
        height=part.height,
        width=part.width,
        image=lambda window: scene.image(window.moved(part.row, part.col)),
        target=lambda window: scene.target(window.moved(part.row, part.col)),
        transform=moved(scene.transform, part) if scene.transform else None,
    )


def by_number(paths: Iterable[Path]) -> list[Path]:
    """Files in the order of the numbers that their names are or end with: 2 before 10."""
    return sorted(paths, key=lambda path: (len(path.stem), path.stem))
