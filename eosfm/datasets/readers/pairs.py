"""Images of one or several dates with a mask, boxes or a class: the commonest native layout."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.raster import read_bands
from eosfm.datasets.readers.scenes import Part, raster_scene
from eosfm.datasets.spec import Scene, Window

Size = tuple[int, int]
Target = Callable[[Path, Size, Window], np.ndarray]
"""Reads a window of a label file whose image has so many rows and columns."""

OTHER = 256
"""Stands for every value of a mask that is not of one byte."""


def pair(
    dataset: str,
    id: str,
    split: Split,
    images: Sequence[Path],
    label: Path,
    target: Target,
    *,
    bands: int = 3,
    dtype: str = "uint8",
    frames: int = 1,
    dates: tuple[str, ...] = (),
) -> Scene:
    """A scene of image files on one grid and a label file.

    Args:
        dataset: Name of the dataset, for errors.
        id: Of the scene, unique within the dataset.
        split: Of the scene.
        images: All files of the first date, then of the next.
        label: File of the label.
        target: How to read it, for example :func:`read_codes`.
        bands: Bands of each image file.
        dtype: Numpy dtype of the images.
        frames: Number of dates.
        dates: ISO dates, where known.

    Raises:
        EosfmError: A file is missing, or the first image is damaged or of another kind.
    """
    parts = [Part(path, bands, dtype=dtype) for path in images]
    scene = raster_scene(dataset, id, split, parts, Part(label), parts[0], dates, frames)
    return replace(scene, target=partial(target, label, (scene.height, scene.width)))


def classified(
    dataset: str,
    id: str,
    split: Split,
    image: Path,
    index: int,
    *,
    bands: int = 3,
    dtype: str = "uint8",
) -> Scene:
    """A scene of one image file that is of class ``index`` as a whole."""
    target = partial(_constant, index)
    scene = pair(dataset, id, split, [image], image, target, bands=bands, dtype=dtype)
    return replace(scene, files=(image,))


def crop(scene: Scene, id: str, split: Split, part: Window) -> Scene:
    """A part of a scene as a scene of its own."""
    transform = scene.transform
    if transform:
        a, b, c, d, e, f = transform
        west, north = c + a * part.col + b * part.row, f + d * part.col + e * part.row
        transform = (a, b, west, d, e, north)
    return replace(
        scene,
        id=id,
        split=split,
        height=part.height,
        width=part.width,
        image=lambda window: scene.image(within(part, window)),
        target=lambda window: scene.target(within(part, window)),
        transform=transform,
    )


def within(part: Window, window: Window) -> Window:
    """A window of a part of an image as a window of the image."""
    return window._replace(row=part.row + window.row, col=part.col + window.col)


def by_number(paths: Iterable[Path]) -> list[Path]:
    """Files in the order of the numbers that their names are or end with: 2 before 10."""
    return sorted(paths, key=lambda path: (len(path.stem), path.stem))


def read_codes(
    dataset: str,
    codes: Sequence[int],
    path: Path,
    size: Size,
    window: Window,
    ignore: int | None = None,
) -> np.ndarray:
    """Class indices (h, w) uint8 of a mask of one band.

    Args:
        dataset: Name of the dataset, for errors.
        codes: Value of each class in the mask, 0 to 255.
        path: The mask.
        size: Rows and columns of its image.
        window: What to read.
        ignore: Value of unlabelled pixels, which they keep.

    Raises:
        EosfmError: The mask is damaged, of another size, or has another value.
    """
    mask = index = read_bands(path, window, 1, size)[0]
    if mask.dtype != np.uint8:
        index = np.where((mask < 0) | (mask >= OTHER), OTHER, mask).astype(np.uint16)
    known = [*codes] if ignore is None else [*codes, ignore]
    strange = ~np.isin(np.arange(OTHER + 1), known)[index]
    if strange.any():
        run = isinstance(codes, range)
        expected = f"{codes[0]} to {codes[-1]}" if run else ", ".join(map(str, codes))
        raise EosfmError(
            f"{dataset}: {path} holds the value {mask[strange][0]}; expected {expected}; fetch the "
            "file again, as its publisher gives it"
        )
    classes = np.arange(OTHER + 1).astype(np.uint8)
    classes[list(codes)] = range(len(codes))
    return classes[index]


def read_presence(path: Path, size: Size, window: Window) -> np.ndarray:
    """A mask of one band (h, w) uint8: 1 where it is not 0."""
    return (read_bands(path, window, 1, size)[0] > 0).astype(np.uint8)


def _constant(index: int, path: Path, size: Size, window: Window) -> np.ndarray:
    return np.asarray(index, dtype=np.int64)
