"""ISPRS Potsdam: land cover of a city in aerial orthophotos of 5 cm.

ISPRS 2D Semantic Labeling Contest; Rottensteiner et al. 2012, doi 10.5194/isprsannals-I-3-293-2012.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "potsdam"
IMAGES = "4_Ortho_RGBIR"
LABELS = "5_Labels_all"
IGNORE = 255

TILES: dict[Split, tuple[str, ...]] = {
    "train": (
        "2_10", "2_11", "3_10", "3_11", "3_12", "4_11", "4_12", "5_10", "5_11", "5_12",
        "6_8", "6_9", "6_10", "6_11", "6_12", "7_7", "7_8", "7_9", "7_10", "7_12",
    ),
    "val": ("2_12", "4_10", "6_7", "7_11"),
    "test": (
        "2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15",
        "5_13", "5_14", "5_15", "6_13", "6_14", "6_15", "7_13",
    ),
}  # fmt: skip
"""The contest's 24 training tiles, four of them held out for validation, and its 14 test tiles."""

CLASSES = ("clutter", "impervious surfaces", "building", "low vegetation", "tree", "car")
COLORS = (
    (255, 0, 0),
    (255, 255, 255),
    (0, 0, 255),
    (0, 255, 255),
    (0, 255, 0),
    (255, 255, 0),
)
BOUNDARY = (0, 0, 0)
"""Object boundaries in the ``noBoundary`` variants of the labels: not scored."""
TOLERANCE = 32
"""A channel may be this far from 0 or 255: a re-saved mask is slightly off its colours."""

NO_CLASS = 254
"""Stands for a colour of no class until it is reported."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the tiles that are there, in the contest's order.

    The labels lie beside the image folder or in a folder of their own, depending on how their
    archive was unpacked.

    Raises:
        EosfmError: The images are missing, none is a tile of the contest, one is not of four
            8-bit bands, or its label is missing.
    """
    images = require(root / IMAGES, NAME, "top_potsdam_<row>_<column>_RGBIR.tif files")
    labels = root / LABELS if (root / LABELS).is_dir() else root
    found = False
    for split, tiles in TILES.items():
        for tile in tiles:
            image = images / f"top_potsdam_{tile}_RGBIR.tif"
            if image.exists():
                found = True
                label = labels / f"top_potsdam_{tile}_label.tif"
                yield _scene(split, tile, image, require(label, NAME, f"the mask of {image.name}"))
    if not found:
        raise EosfmError(
            f"{NAME}: {images} holds no top_potsdam_<row>_<column>_RGBIR.tif; unpack "
            f"{IMAGES}.zip there (the RGB and IRRG variants lack a band)"
        )


def _scene(split: Split, tile: str, image: Path, label: Path) -> Scene:
    header = read_header(image, 4, "uint8")
    size = (header.height, header.width)
    return Scene(
        id=f"top_potsdam_{tile}",
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
    return read_bands(path, window, 4, size)[None]


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    """Class indices (h, w) of a colour-coded mask.

    Every colour of the contest is a corner of the RGB cube, so the corner decides.

    Raises:
        EosfmError: A colour is near no corner, or near one that stands for nothing.
    """
    mask = read_bands(path, window, 3, size)
    target = CORNERS[_corner(mask)]
    strange = (np.minimum(mask, 255 - mask) > TOLERANCE).any(axis=0) | (target == NO_CLASS)
    if strange.any():
        row, col = np.argwhere(strange)[0]
        raise EosfmError(
            f"{path} has the colour {tuple(int(value) for value in mask[:, row, col])} at row "
            f"{window.row + row}, column {window.col + col}, which is no class; use the masks of "
            f"{LABELS}.zip unchanged"
        )
    return target


def _corner(color: np.ndarray) -> np.ndarray:
    """The corner of the RGB cube, 0 to 7, that colours (3, ...) are nearest to."""
    bright = (color > 127).astype(np.uint8)
    return bright[0] * 4 + bright[1] * 2 + bright[2]


CORNERS = np.full(8, NO_CLASS, np.uint8)
"""Class index of each corner of the RGB cube."""
CORNERS[_corner(np.transpose((*COLORS, BOUNDARY)))] = (*range(len(COLORS)), IGNORE)


DATASET = Dataset(
    name=NAME,
    title="ISPRS Potsdam 2D Semantic Labeling",
    kind="segmentation",
    bands=("red", "green", "blue", "nir"),
    units=("dn8",) * 4,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.05,
    source=Source(
        homepage=(
            "https://www.isprs.org/education/benchmarks/UrbanSemLab/2d-sem-label-potsdam.aspx"
        ),
        licence="research use with acknowledgement of ISPRS; on request",
        citation=(
            "Rottensteiner et al., The ISPRS benchmark on urban object classification and 3D "
            "building reconstruction, 2012, doi 10.5194/isprsannals-I-3-293-2012"
        ),
        size_gb=5.5,
        manual=(
            "request access on the homepage and unpack 4_Ortho_RGBIR.zip (MD5 "
            "c4a8f7d8c7196dd4eba4addd0aae10c1) and 5_Labels_all.zip into one folder"
        ),
    ),
    scenes=scenes,
    split_rule="official train and test tiles; 2_12, 4_10, 6_7 and 7_11 of train validate",
    ignore_index=IGNORE,
)
"""Six classes in scenes of 6000 x 6000 pixels with red, green, blue and near infrared."""
