"""IEEE GRSS Data Fusion Contest 2022: land use and terrain of Nantes and Nice, 0.5 m."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eosfm.core.band_groups import BandGroup
from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.native.gdal import open_raster, read_open
from eosfm.datasets.native.listing import listed, matching, one_of, pair_all
from eosfm.datasets.native.scenes import Part, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Size, Source, Window
from eosfm.datasets.native.urbanatlas import (
    CITATION,
    CLASSES,
    LAND_USE,
    NO_INFORMATION,
    parse_sheet,
)

NAME = "dfc2022"
FOLDER = "labeled_train"
TRAINING = "Nantes_Saint-Nazaire"
HELD_OUT = "Nice"
GAP = -99999
"""What IGN's terrain models hold where they have no height, whether their files say so or not."""
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
    """Yield the images of the two labelled cities."""
    images = listed(root / FOLDER, "*/BDORTHO/*.tif", "images of labeled_train.zip")
    for image in images:
        city = image.parents[1]
        one_of(city.name, (TRAINING, HELD_OUT), "labelled city", image)
        split = split_of(city.name, parse_sheet(image).easting)
        label = Part(city / "UrbanAtlas" / f"{image.stem}_UA2012.tif", prepare=LAND_USE)
        height = Height(city / "RGEALTI" / f"{image.stem}_RGEALTI.tif", dtype="float32")
        scene = raster_scene(image.stem, split, [rgb(image), height], label)
        height.header()  # a file of another kind is refused before its pixels are read
        yield scene
    masks = matching(root / FOLDER, "*/UrbanAtlas/*_UA2012.tif")
    pair_all({image.stem for image in images}, masks, "_UA2012.tif")


class Height(Part):
    """The terrain model that covers the ground of an orthophoto, on the orthophoto's grid."""

    def read(self, size: Size, window: Window) -> np.ndarray:
        """Height (1, h, w) in metres of a window, see :func:`read_height`."""
        return read_height(self.file, size, window)[None]


def read_height(path: Path, size: Size, window: Window) -> np.ndarray:
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
    with open_raster(path) as raster:
        _check_ground(path, raster.shape, size)
        rows = _places(window.row, window.height, size[0], raster.height)
        cols = _places(window.col, window.width, size[1], raster.width)
        top, left = int(rows[0]), int(cols[0])
        bottom, right = min(int(rows[-1]) + 2, raster.height), min(int(cols[-1]) + 2, raster.width)
        part = Window(top, left, bottom - top, right - left)
        coarse = read_open(raster, part, indexes=1, masked=True).filled(GAP)
    coarse[coarse == GAP] = 0
    # Pixel by pixel: a product of matrices would round otherwise for a window than for the whole.
    across = _between(coarse.astype(np.float32), rows - top)
    return _between(across.T, cols - left).T


def _check_ground(path: Path, found: Size, size: Size) -> None:
    """Refuse a model with another aspect ratio than its orthophoto: a part of it is missing."""
    if abs(found[0] * size[1] / size[0] - found[1]) > 2:
        raise EosfmError(
            f"{path} has {found[0]}x{found[1]} px; expected the shape of its orthophoto, which has "
            f"{size[0]}x{size[1]}; fetch the file again"
        )


def _places(start: int, length: int, total: int, available: int) -> np.ndarray:
    """Where ``length`` of ``total`` fine pixels from ``start`` lie on ``available`` coarse ones."""
    centre = (np.arange(start, start + length) + 0.5) * available / total - 0.5
    return np.clip(centre, 0, available - 1)


def _between(coarse: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n, m) values at places (n,) between the rows of ``coarse`` (count, m)."""
    low = places.astype(int)
    high = np.minimum(low + 1, len(coarse) - 1)
    share = (places - low).astype(np.float32)[:, None]
    mixed: np.ndarray = (1 - share) * coarse[low] + share * coarse[high]
    return mixed


DATASET = Dataset(
    name=NAME,
    title="IEEE GRSS Data Fusion Contest 2022",
    kind="segmentation",
    bands=("red", "green", "blue", "height"),
    units=("dn8", "dn8", "dn8", "m"),
    dtype="float32",
    groups=(BandGroup(("red", "green", "blue"), "uint8"), BandGroup(("height",), "float32")),
    classes=CLASSES,
    gsd=0.5,
    ignore_index=NO_INFORMATION,
    split_rule="by city, for only the contest's train is labelled: Nantes and Saint-Nazaire train; "
    "of Nice, strips of 10 km validate and test in turn",
    source=Source(
        homepage="https://ieee-dataport.org/competitions/data-fusion-contest-2022-dfc2022",
        licence="research use as the contest's page states; images and heights of IGN under the "
        "Licence Ouverte",
        commercial=False,
        citation=CITATION,
        size_gb=8.0,
        manual="log in at IEEE DataPort, download labeled_train.zip (MD5 "
        "2e87d6a218e466dd0566797d7298c7a9) and unpack it so that the folder labeled_train appears",
    ),
    reader=scenes,
)
