"""IEEE GRSS Data Fusion Contest 2022: land use and terrain of Nantes and Nice, 0.5 m."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import read_header
from eosfm.datasets.readers.layout import open_raster, require
from eosfm.datasets.readers.urbanatlas import (
    CLASSES,
    NO_INFORMATION,
    Sheet,
    parse_sheet,
    read_classes,
    read_image,
)
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "dfc2022"
FOLDER = "labeled_train"
TRAINING = "Nantes_Saint-Nazaire"
HELD_OUT = "Nice"
CITIES = {TRAINING: Sheet("44", 295, 6713), HELD_OUT: Sheet("06", 1007, 6318)}
"""The labelled cities, and a sheet of each to begin a simulated copy from."""

STRIP_KM = 10
"""Width of the strips from west to east that validate and test in turn."""


def split_of(city: str, easting: int) -> Split:
    """The split of an image.

    One city trains. The other is held out whole, so no training image lies beside one that is
    scored; its strips of 10 km validate and test in turn.
    """
    if city == TRAINING:
        return "train"
    return "val" if easting // STRIP_KM % 2 == 0 else "test"


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the images of the two labelled cities.

    Raises:
        EosfmError: The folder, a terrain model or a label is missing, or a file is named or made
            otherwise than the contest's.
    """
    top = require(root / FOLDER, NAME, f"the folder {FOLDER} of labeled_train.zip")
    images = sorted(top.glob("*/BDORTHO/*.tif"))
    if not images:
        raise EosfmError(
            f"{NAME}: {top} holds no <city>/BDORTHO/*.tif; unpack labeled_train.zip again"
        )
    for image in images:
        city = image.parents[1].name
        if city not in CITIES:
            raise EosfmError(
                f"{NAME}: {image} is of the city {city!r}; {suggest(city, list(CITIES))}; "
                f"only labelled cities belong in {FOLDER}"
            )
        yield _scene(image, split_of(city, parse_sheet(image, NAME).easting))


def _scene(image: Path, split: Split) -> Scene:
    city = image.parents[1]
    height = city / "RGEALTI" / f"{image.stem}_RGEALTI.tif"
    label = city / "UrbanAtlas" / f"{image.stem}_UA2012.tif"
    require(height, NAME, f"the terrain model of {image.name}")
    require(label, NAME, f"the label of {image.name}")
    header = read_header(image, 3, "uint8")
    read_header(height, 1, "float32")
    size = (header.height, header.width)
    return Scene(
        id=image.stem,
        split=split,
        height=header.height,
        width=header.width,
        files=(image, height, label),
        image=partial(_image, image, height, size),
        target=partial(read_classes, label, size, NAME),
        crs=header.crs,
        transform=header.transform,
    )


def _image(image: Path, height: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    colors = read_image(image, size, window)
    return np.concatenate([colors, read_height(height, size, window)[None, None]], axis=1)


def read_height(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    """Terrain height (h, w) float32 in metres on the grid of the orthophoto.

    The terrain model has 1 m pixels; it is interpolated bilinearly. The window is read with a
    margin, so that it equals the same part of the whole. What the model leaves out is sea: 0 m.

    Args:
        path: The terrain model.
        size: Rows and columns of the orthophoto that covers the same ground.
        window: Rectangle in pixels of the orthophoto.

    Raises:
        EosfmError: The file is missing or damaged.
    """
    from rasterio.errors import RasterioIOError
    from rasterio.windows import Window as RasterWindow

    with open_raster(path) as raster:
        weights = [
            _weights(start, length, total, available)
            for start, length, total, available in zip(
                window[:2], window[2:], size, raster.shape, strict=True
            )
        ]
        (row, rows), (col, cols) = weights
        part = RasterWindow(col, row, cols.shape[1], rows.shape[1])
        try:
            coarse = raster.read(1, window=part, masked=True).filled(0)
        except RasterioIOError as error:
            raise EosfmError(
                f"{path} is damaged ({str(error)[:120]}); fetch the file again"
            ) from None
    return (rows @ coarse @ cols.T).astype(np.float32)


def _weights(start: int, length: int, total: int, available: int) -> tuple[int, np.ndarray]:
    """Bilinear weights of coarse pixels along one axis.

    Args:
        start: First fine pixel.
        length: Number of fine pixels.
        total: Fine pixels of the whole axis.
        available: Coarse pixels of the whole axis.

    Returns:
        The first coarse pixel needed, and the weights (length, coarse pixels needed).
    """
    centre = (np.arange(start, start + length) + 0.5) * available / total - 0.5
    centre = np.clip(centre, 0, available - 1)
    left = np.floor(centre).astype(int)
    right = np.minimum(left + 1, available - 1)
    first, last = left[0], right[-1]
    weights = np.zeros((length, last - first + 1), np.float32)
    pixel = np.arange(length)
    np.add.at(weights, (pixel, left - first), 1 - (centre - left))
    np.add.at(weights, (pixel, right - first), centre - left)
    return int(first), weights


DATASET = Dataset(
    name=NAME,
    title="IEEE GRSS Data Fusion Contest 2022",
    kind="segmentation",
    bands=("red", "green", "blue", "height"),
    units=("dn8", "dn8", "dn8", "m"),
    dtype="float32",
    classes=CLASSES,
    gsd=0.5,
    ignore_index=NO_INFORMATION,
    split_rule="by city, for only the contest's train is labelled: Nantes and Saint-Nazaire train; "
    "of Nice, strips of 10 km validate and test in turn",
    source=Source(
        homepage="https://ieee-dataport.org/competitions/data-fusion-contest-2022-dfc2022",
        licence="research use as the contest's page states; images and heights of IGN under the "
        "Licence Ouverte",
        citation="Castillo-Navarro, Le Saux, Boulch, Audebert, Lefevre: Semi-Supervised Semantic "
        "Segmentation in Earth Observation: the MiniFrance suite, Machine Learning 2021, "
        "doi 10.1007/s10994-020-05943-y",
        size_gb=8.0,
        manual=(
            "log in at IEEE DataPort, download labeled_train.zip (MD5 "
            "2e87d6a218e466dd0566797d7298c7a9) and unpack it so that the folder labeled_train "
            "appears"
        ),
    ),
    scenes=scenes,
)
