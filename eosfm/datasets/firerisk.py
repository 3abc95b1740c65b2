"""FireRisk: wildfire hazard of 320 m squares of the United States in NAIP images of 1 m."""

import math
from collections.abc import Iterator
from pathlib import Path

from eosfm.core.splits import Split
from eosfm.datasets.native.archives import of_torchgeo
from eosfm.datasets.native.holdout import hold_out
from eosfm.datasets.native.listing import class_folders, parse
from eosfm.datasets.native.scenes import constant, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Source

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
    """Yield the images, class by class."""
    for folder in ("train", "val"):
        for path, index in class_folders(root / FOLDER / folder, CLASSES):
            split = split_of(*_point(path)) if folder == "train" else "val"
            id = f"{folder}_{path.stem}"
            yield raster_scene(id, split, [rgb(path)], constant(index, path))


def _point(path: Path) -> tuple[float, float]:
    """Longitude and latitude in the name of an image."""
    code = CODES[path.parent.name]
    name = rf"\d+_{code}_(-?\d+(?:\.\d+)?)_(-?\d+(?:\.\d+)?)\.png"
    expected = f"<point>_{code}_<longitude>_<latitude>.png under {path.parent.name}"
    match = parse(name, path.name, path, expected)
    return float(match[1]), float(match[2])


def split_of(longitude: float, latitude: float) -> Split:
    """The split of an image of the training folder: by the square of one degree it lies in."""
    cell = f"{NAME}/{math.floor(longitude)}/{math.floor(latitude)}"
    return hold_out(cell, validate=0, test=HELD_OUT)


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
        commercial=False,
        citation="Shen, Seneviratne, Wanyan, Kirley: FireRisk, DICTA 2023, arXiv 2303.07035",
        size_gb=15.2,
        archives=of_torchgeo("FireRisk"),
    ),
    reader=scenes,
    published={"train test": 70_331, "val": 21_541},
)
