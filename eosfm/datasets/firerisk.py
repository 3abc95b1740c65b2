"""FireRisk: wildfire hazard of 320 m squares of the United States in NAIP images of 1 m."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split
from eosfm.datasets.readers.archives import of_torchgeo
from eosfm.datasets.readers.holdout import rank
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.pairs import classified
from eosfm.datasets.spec import Dataset, Scene, Source

NAME = "firerisk"
FOLDER = "FireRisk"
HELD_OUT = 0.1

CODES = {
    "High": 4, "Low": 2, "Moderate": 3, "Non-burnable": 6, "Very_High": 5, "Very_Low": 1,
    "Water": 7,
}  # fmt: skip
"""Classes, and their codes in the Wildfire Hazard Potential map, which the file names repeat."""
CLASSES = tuple(CODES)


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the images, class by class.

    Raises:
        EosfmError: A folder is missing or is of no class, or an image's name is not of the
            dataset's form or contradicts its folder.
    """
    for folder in ("train", "val"):
        top = require(root / FOLDER / folder, NAME, f"the folder {FOLDER}/{folder} of FireRisk.zip")
        strange = sorted({path.name for path in top.iterdir() if path.is_dir()} - CODES.keys())
        if strange:
            raise EosfmError(
                f"{NAME}: {top / strange[0]} is no class; {suggest(strange[0], CLASSES)}; "
                "unpack FireRisk.zip again"
            )
        for index, label in enumerate(CLASSES):
            for path in sorted(require(top / label, NAME, f"the {label} images").glob("*.png")):
                longitude, latitude = _point(path, label)
                split = "val" if folder == "val" else split_of(longitude, latitude)
                yield classified(NAME, f"{folder}_{path.stem}", split, path, index)


def _point(path: Path, label: str) -> tuple[float, float]:
    """Longitude and latitude in the name of an image of a class."""
    match = re.fullmatch(r"\d+_([1-7])_(-?\d+(?:\.\d+)?)_(-?\d+(?:\.\d+)?)", path.stem)
    if not match or int(match[1]) != CODES[label]:
        raise EosfmError(
            f"{NAME}: {path} is named otherwise than <point>_<code>_<longitude>_<latitude>.png "
            f"with the code {CODES[label]} of {label}; remove it, or unpack FireRisk.zip again"
        )
    return float(match[2]), float(match[3])


def split_of(longitude: float, latitude: float) -> Split:
    """The split of an image of the training folder: by the square of one degree it lies in."""
    cell = f"{NAME}/{math.floor(longitude)}/{math.floor(latitude)}"
    return "test" if rank(cell) < HELD_OUT else "train"


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
        archives=of_torchgeo("FireRisk"),
    ),
    scenes=scenes,
)
