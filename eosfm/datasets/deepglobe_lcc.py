"""DeepGlobe Land Cover: rural land in satellite images of 0.5 m, RGB-coded masks."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.holdout import rank
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "deepglobe_lcc"
FOLDERS = {"train": "training_data", "test": "test_data"}
HELD_OUT = 0.1

CLASSES = ("urban", "agriculture", "rangeland", "forest", "water", "barren", "unknown")
COLORS = (
    (0, 255, 255),
    (255, 255, 0),
    (255, 0, 255),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
)
UNKNOWN = 6
NO_CLASS = 255
"""Stands for the one corner of the RGB cube that is no class until it is reported."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the labelled images; the training folder gives up its validation part.

    Raises:
        EosfmError: A folder or a mask is missing, a folder holds no image, or a mask has another
            size than its image.
    """
    for folder in FOLDERS:
        images = root / "data" / FOLDERS[folder] / "images"
        require(images, NAME, f"the folder data/{FOLDERS[folder]}/images of data.zip")
        paths = sorted(images.glob("*_sat.jpg"), key=lambda path: (len(path.stem), path.stem))
        if not paths:
            raise EosfmError(
                f"{NAME}: {images} holds no <number>_sat.jpg; unpack data.zip again, or point "
                f"datasets.{NAME}.root at the folder that holds data/"
            )
        for image in paths:
            number = image.stem.removesuffix("_sat")
            yield _scene(image, number, "test" if folder == "test" else split_of(number))


def split_of(number: str) -> Split:
    """The split of a scene of the training folder."""
    return "val" if rank(f"{NAME}/{number}") < HELD_OUT else "train"


def _scene(image: Path, number: str, split: Split) -> Scene:
    mask = image.parents[1] / "masks" / f"{number}_mask.png"
    require(mask, NAME, f"the mask of {image.name}")
    height, width = png_size(image)
    if png_size(mask) != (height, width):
        raise EosfmError(
            f"{NAME}: {mask} has other sides than {image.name} ({height}x{width} px); fetch both "
            "again"
        )
    return Scene(
        id=image.stem,
        split=split,
        height=height,
        width=width,
        files=(image, mask),
        image=partial(_image, image),
        target=partial(_target, mask),
    )


def _image(path: Path, window: Window) -> np.ndarray:
    return read_png(path, window)[None]


def _target(path: Path, window: Window) -> np.ndarray:
    """Class indices (h, w); as the challenge has it, each channel counts as 0 or 255.

    Raises:
        EosfmError: A colour stands for no class.
    """
    mask = read_png(path, window)
    target = CORNERS[_corner(mask)]
    if (target == NO_CLASS).any():
        row, col = np.argwhere(target == NO_CLASS)[0]
        raise EosfmError(
            f"{NAME}: {path} has the colour {tuple(int(value) for value in mask[:, row, col])} at "
            f"row {window.row + row}, column {window.col + col}, which is no class; use the masks "
            "of the challenge unchanged"
        )
    return target


def _corner(color: np.ndarray) -> np.ndarray:
    """The corner of the RGB cube, 0 to 7, that colours (3, ...) are nearest to."""
    bright = (color > 127).astype(np.uint8)
    return bright[0] * 4 + bright[1] * 2 + bright[2]


CORNERS = np.full(8, NO_CLASS, np.uint8)
"""Class index of each corner of the RGB cube."""
CORNERS[_corner(np.transpose(COLORS))] = range(len(COLORS))


DATASET = Dataset(
    name=NAME,
    title="DeepGlobe Land Cover Classification",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.5,
    ignore_index=UNKNOWN,
    split_rule="training and test folders of the labelled edition with 803 images; one tenth of "
    "the training scenes, by hash of the scene's number, validates",
    source=Source(
        homepage="https://www.kaggle.com/datasets/geoap96/"
        "deepglobe2018-landcover-segmentation-traindataset",
        licence="DeepGlobe challenge, research use only",
        citation="Demir, Koperski, Lindenbaum, Pang, Huang, Basu, Hughes, Tuia, Raskar: DeepGlobe "
        "2018, CVPR Workshops 2018, arXiv 1805.06561",
        size_gb=2.8,
        manual=(
            "log in at Kaggle, download geoap96/deepglobe2018-landcover-segmentation-traindataset "
            "and unpack its data.zip (MD5 f32684b0b2bf6f8d604cd359a399c061), which holds "
            "data/training_data and data/test_data"
        ),
    ),
    scenes=scenes,
)
