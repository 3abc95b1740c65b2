"""Inria Aerial Image Labeling: buildings of ten cities in orthophotos of 0.3 m."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "inria_aerial"
FOLDER = Path("AerialImageDataset") / "train"
"""The five labelled cities; the labels of ``test`` are kept by the authors."""

BUILDING = 255

CITIES: dict[str, tuple[str, ...]] = {
    "austin": ("residential", "village"),
    "chicago": ("residential", "city"),
    "kitsap": ("forest", "village"),
    "tyrol-w": ("village", "mixed"),
    "vienna": ("city", "industrial"),
}
"""City as in the file names, and what a simulated copy shows there."""

TILES: dict[Split, range] = {"train": range(6, 32), "val": range(1, 6), "test": range(32, 37)}
"""Tile numbers of every city: the authors validate on the first five; the last five test."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the labelled tiles, city by city in the order of their numbers.

    Raises:
        EosfmError: The folder or a label is missing, a file is named for no tile of the dataset,
            or one is not of three 8-bit bands.
    """
    images = require(root / FOLDER / "images", NAME, "<city><number>.tif files")
    tiles = sorted((_place(path), path) for path in images.glob("*.tif"))
    if not tiles:
        raise EosfmError(
            f"{NAME}: {images} holds no <city><number>.tif; unpack the dataset again, or point "
            f"datasets.{NAME}.root at the folder that holds AerialImageDataset"
        )
    for (_, number), image in tiles:
        label = require(root / FOLDER / "gt" / image.name, NAME, f"the label of {image.name}")
        yield _scene(split_of(number), image, label)


def _place(path: Path) -> tuple[str, int]:
    """City and number of a tile, from the file's name alone.

    Raises:
        EosfmError: It is the name of no tile of the dataset.
    """
    match = re.fullmatch(r"(.*?)(\d+)", path.stem)
    city, number = (match[1], int(match[2])) if match else (path.stem, 0)
    if city not in CITIES:
        raise EosfmError(
            f"{NAME}: {path} is of the city {city!r}; {suggest(city, list(CITIES))}; remove it"
        )
    if not any(number in tiles for tiles in TILES.values()):
        raise EosfmError(f"{NAME}: {path} is tile {number}; expected 1 to 36; remove it")
    return city, number


def split_of(number: int) -> Split:
    """The split of a tile by its number."""
    return next(split for split, tiles in TILES.items() if number in tiles)


def _scene(split: Split, image: Path, label: Path) -> Scene:
    header = read_header(image, 3, "uint8")
    size = (header.height, header.width)
    return Scene(
        id=image.stem,
        split=split,
        height=header.height,
        width=header.width,
        files=(image, label),
        image=partial(_image, image, size),
        target=partial(_target, label, size),
        crs=header.crs,
        transform=header.transform,
    )


def _image(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    return read_bands(path, window, 3, size)[None]


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    label = read_bands(path, window, 1, size)[0]
    strange = np.setdiff1d(label, (0, BUILDING))
    if strange.size:
        raise EosfmError(
            f"{NAME}: {path} holds the value {strange[0]}; expected 0 and {BUILDING} only; use the "
            "labels of the gt folder unchanged"
        )
    return (label == BUILDING).astype(np.uint8)


DATASET = Dataset(
    name=NAME,
    title="Inria Aerial Image Labeling",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=("background", "building"),
    gsd=0.3,
    split_rule="tiles 1 to 5 of each labelled city validate, as the authors propose; tiles 32 to "
    "36 of each test, for the official test labels are not public",
    source=Source(
        homepage="https://project.inria.fr/aerialimagelabeling/",
        licence="research use; the images under the terms of their providers, see the homepage",
        citation="Maggiori, Tarabalka, Charpiat, Alliez: Can Semantic Labeling Methods Generalize "
        "to Any City? IGARSS 2017, doi 10.1109/IGARSS.2017.8127684",
        size_gb=21.0,
        manual=(
            "follow the download instructions of the homepage and unpack "
            "NEW2-AerialImageDataset.zip (MD5 4b1acfe84ae9961edc1a6049f940380f) so that the "
            "folder AerialImageDataset appears"
        ),
    ),
    scenes=scenes,
)
