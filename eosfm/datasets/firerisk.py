"""FireRisk: wildfire hazard of 320 m squares of the United States in NAIP images of 1 m."""

import math
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split
from eosfm.datasets.readers.holdout import rank
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

NAME = "firerisk"
FOLDER = "FireRisk"
HELD_OUT = 0.1

CLASSES = ("High", "Low", "Moderate", "Non-burnable", "Very_High", "Very_Low", "Water")

CODES = {
    "Very_Low": 1,
    "Low": 2,
    "Moderate": 3,
    "High": 4,
    "Very_High": 5,
    "Non-burnable": 6,
    "Water": 7,
}
"""Code of each class in the Wildfire Hazard Potential map, which the file names repeat."""


class Point(NamedTuple):
    """What a file name ``<point>_<code>_<longitude>_<latitude>.png`` says."""

    code: int
    longitude: float
    latitude: float


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the images, class by class.

    Raises:
        EosfmError: A folder is missing or is of no class, or an image's name is not of the
            dataset's form or contradicts its folder.
    """
    for folder in ("train", "val"):
        top = require(root / FOLDER / folder, NAME, f"the folder {FOLDER}/{folder} of FireRisk.zip")
        for found in sorted(path.name for path in top.iterdir() if path.is_dir()):
            if found not in CLASSES:
                raise EosfmError(
                    f"{NAME}: {top / found} is no class; {suggest(found, CLASSES)}; "
                    "unpack FireRisk.zip again"
                )
        for label in CLASSES:
            require(top / label, NAME, f"the {label} images")
            for path in sorted((top / label).glob("*.png")):
                yield _scene(path, folder, label)


def _scene(path: Path, folder: str, label: str) -> Scene:
    point = _parse(path)
    if point.code != CODES[label]:
        raise EosfmError(
            f"{NAME}: {path} lies under {label} (code {CODES[label]}), but its name has the code "
            f"{point.code}; unpack FireRisk.zip again"
        )
    height, width = png_size(path)
    return Scene(
        id=f"{folder}_{path.stem}",
        split="val" if folder == "val" else split_of(point.longitude, point.latitude),
        height=height,
        width=width,
        files=(path,),
        image=partial(_image, path),
        target=partial(_target, CLASSES.index(label)),
    )


def _parse(path: Path) -> Point:
    match = re.fullmatch(r"\d+_([1-7])_(-?\d+(?:\.\d+)?)_(-?\d+(?:\.\d+)?)", path.stem)
    if not match:
        raise EosfmError(
            f"{NAME}: {path} is named otherwise than <point>_<code>_<longitude>_<latitude>.png; "
            "remove it, or unpack FireRisk.zip again"
        )
    return Point(int(match[1]), float(match[2]), float(match[3]))


def split_of(longitude: float, latitude: float) -> Split:
    """The split of an image of the training folder: by the square of one degree it lies in."""
    cell = f"{NAME}/{math.floor(longitude)}/{math.floor(latitude)}"
    return "test" if rank(cell) < HELD_OUT else "train"


def _image(path: Path, window: Window) -> np.ndarray:
    return read_png(path, window)[None]


def _target(index: int, window: Window) -> np.ndarray:
    return np.asarray(index, dtype=np.int64)


DATASET = Dataset(
    name=NAME,
    title="FireRisk",
    kind="classification",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=1.0,
    split_rule="official val; one tenth of the square degrees of the official train, by hash, "
    "tests",
    source=Source(
        homepage="https://github.com/CharmonyShen/FireRisk",
        licence="CC BY-NC 4.0, as the archive's page states; the NAIP images are public domain",
        citation="Shen, Seneviratne, Wanyan, Kirley: FireRisk, DICTA 2023, arXiv 2303.07035",
        size_gb=15.2,
        archives=(
            Archive(
                url="https://hf.co/datasets/isaaccorley/fire_risk/resolve/"
                "e6046a04350c6f1ab4ad791fb3a40bf8940be269/FireRisk.zip",
                filename="FireRisk.zip",
                checksum="md5:a77b9a100d51167992ae8c51d26198a6",
            ),
        ),
    ),
    scenes=scenes,
)
