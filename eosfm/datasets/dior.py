"""DIOR: twenty kinds of objects in 800-pixel aerial images from Google Earth, 8-bit RGB.

Li, Wan, Cheng, Meng, Han, ISPRS Journal 2020, arXiv 1909.00133.
"""

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import SPLITS
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

NAME = "dior"
TABLE = "sample_df.csv"
COLUMNS = ("image_path", "label_path", "split")
CLASSES = (
    "airplane", "airport", "baseballfield", "basketballcourt", "bridge", "chimney", "dam",
    "expresswayservicearea", "expresswaytollstation", "golffield", "groundtrackfield", "harbor",
    "overpass", "ship", "stadium", "storagetank", "tenniscourt", "trainstation", "vehicle",
    "windmill",
)  # fmt: skip


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the images that the table lists with a label file; the official test images have none.

    Raises:
        EosfmError: The table or a file is missing, or the table has other columns or splits.
    """
    table = require(root / TABLE, NAME, f"the table {TABLE} beside the folders Images, Annotations")
    with table.open(newline="") as rows:
        reader = csv.DictReader(rows)
        if not set(COLUMNS) <= set(reader.fieldnames or ()):
            raise EosfmError(
                f"{table} has the columns {', '.join(reader.fieldnames or ())}; expected "
                f"{', '.join(COLUMNS)}; fetch the file again"
            )
        for row in reader:
            if row["label_path"]:
                yield _scene(root, table, row)


def _scene(root: Path, table: Path, row: dict[str, str]) -> Scene:
    split = next((name for name in SPLITS if name == row["split"]), None)
    if split is None:
        raise EosfmError(
            f"{table} puts {row['image_path']} in the split {row['split']!r}; "
            f"{suggest(row['split'], SPLITS)}; fetch the file again"
        )
    image = require(root / row["image_path"], NAME, f"an image that {TABLE} lists")
    label = require(root / row["label_path"], NAME, f"the annotation of {image.name}")
    height, width = png_size(image)
    return Scene(
        id=f"{split}_{image.stem}",
        split=split,
        height=height,
        width=width,
        files=(image, label),
        image=partial(_image, image),
        target=partial(_boxes, label),
    )


def _image(path: Path, window: Window) -> np.ndarray:
    return read_png(path, window)[np.newaxis]


def _boxes(path: Path, window: Window) -> np.ndarray:
    """Boxes whose middle lies in the window, cut to it: an object belongs to one window alone."""
    boxes = np.array(_objects(path), np.float32).reshape(-1, 5)
    corner = np.array([window.col, window.row] * 2, np.float32)
    boxes[:, :4] -= corner
    limits = np.array([window.width, window.height], np.float32)
    middle = (boxes[:, :2] + boxes[:, 2:4]) / 2
    inside = ((middle >= 0) & (middle < limits)).all(axis=1)
    boxes[:, :4] = np.clip(boxes[:, :4], 0, np.tile(limits, 2))
    return boxes[inside]


def _objects(path: Path) -> list[tuple[float, ...]]:
    """Rows of x_min, y_min, x_max, y_max, class of a Pascal VOC annotation."""
    try:
        found = ElementTree.parse(path).getroot().findall("object")
        names = [thing.findtext("name", "") for thing in found]
        corners = [
            tuple(float(thing.findtext(f"bndbox/{side}", "")) for side in _SIDES) for thing in found
        ]
    except (ElementTree.ParseError, ValueError) as error:
        raise EosfmError(
            f"{path} is no Pascal VOC annotation ({error}); fetch the file again"
        ) from None
    return [(*box, _class(path, name)) for box, name in zip(corners, names, strict=True)]


_SIDES = ("xmin", "ymin", "xmax", "ymax")


def _class(path: Path, name: str) -> int:
    """Index of a class; the first release writes ``Expressway-Service-area`` and the like."""
    plain = name.lower().replace("-", "").replace(" ", "")
    if plain not in CLASSES:
        raise EosfmError(
            f"{path} labels an object {name!r}; {suggest(plain, CLASSES)}; fetch the file again"
        )
    return CLASSES.index(plain)


_HOST = "https://hf.co/datasets/torchgeo/dior/resolve/0b8439a538b66457e553a8bd9105ef093cce8169"

DATASET = Dataset(
    name=NAME,
    title="DIOR",
    kind="detection",
    bands=("red", "green", "blue"),
    units=("dn8", "dn8", "dn8"),
    dtype="uint8",
    classes=CLASSES,
    gsd=0.5,
    split_rule="official train and val; the official test images come without annotations and "
    "are not read",
    source=Source(
        homepage="https://gcheng-nwpu.github.io/#Datasets",
        licence="CC BY-NC 4.0",
        citation="Li, Wan, Cheng, Meng, Han: Object detection in optical remote sensing images: a "
        "survey and a new benchmark, ISPRS Journal 2020, arXiv 1909.00133",
        size_gb=3.9,
        archives=(
            Archive(
                url=f"{_HOST}/Images_trainval.zip",
                filename="Images_trainval.zip",
                checksum="md5:070e9314120403e5c965d12fe5321cb0",
            ),
            Archive(
                url=f"{_HOST}/Annotations_trainval.zip",
                filename="Annotations_trainval.zip",
                checksum="md5:90e045de37255c5919bbecf659b72c1a",
            ),
            Archive(url=f"{_HOST}/{TABLE}", filename=TABLE, extract=None),
        ),
    ),
    scenes=scenes,
)
"""Boxes as x_min, y_min, x_max, y_max in pixels, and the class."""
