"""DIOR: twenty kinds of objects in 800-pixel aerial images from Google Earth, 8-bit RGB."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import SPLITS
from eosfm.datasets.readers.archives import archive
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.pairs import Size, pair
from eosfm.datasets.readers.voc import boxes_in, read_objects
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
    image = root / row["image_path"]
    return pair(NAME, f"{split}_{image.stem}", split, [image], root / row["label_path"], _boxes)


def _boxes(path: Path, size: Size, window: Window) -> np.ndarray:
    rows = [[*box, _class(path, name)] for name, box in read_objects(path)]
    return boxes_in(rows, window)


def _class(path: Path, name: str) -> int:
    """Index of a class; the first release writes ``Expressway-Service-area`` and the like."""
    plain = name.lower().replace("-", "").replace(" ", "")
    if plain not in CLASSES:
        raise EosfmError(
            f"{path} labels an object {name!r}; {suggest(plain, CLASSES)}; fetch the file again"
        )
    return CLASSES.index(plain)


def archives() -> tuple[Archive, ...]:
    """The images and annotations to train and validate on, and the table."""
    from torchgeo.datasets import DIOR

    files = DIOR.files["trainval"].values()
    return (
        *(archive(DIOR.url.format(f["filename"]), f["filename"], f["md5"]) for f in files),
        archive(DIOR.url.format(TABLE), TABLE, None, extract=None),
    )


DATASET = Dataset(
    name=NAME,
    title="DIOR",
    kind="detection",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
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
        archives=archives,
    ),
    scenes=scenes,
)
