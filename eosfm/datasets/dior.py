"""DIOR: twenty kinds of objects in 800-pixel aerial images from Google Earth, 8-bit RGB."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from eosfm.core.splits import SPLITS
from eosfm.datasets.native.archives import archive
from eosfm.datasets.native.labels import boxes_in
from eosfm.datasets.native.listing import expecting, one_of, read_rows, read_text, require
from eosfm.datasets.native.scenes import Label, raster_scene, rgb
from eosfm.datasets.native.spec import Archive, Dataset, Scene, Size, Source, Window

NAME = "dior"
TABLE = "sample_df.csv"
COLUMNS = ("image_path", "label_path", "split")
SIDES = ("xmin", "ymin", "xmax", "ymax")
CLASSES = (
    "airplane", "airport", "baseballfield", "basketballcourt", "bridge", "chimney", "dam",
    "expresswayservicearea", "expresswaytollstation", "golffield", "groundtrackfield", "harbor",
    "overpass", "ship", "stadium", "storagetank", "tenniscourt", "trainstation", "vehicle",
    "windmill",
)  # fmt: skip


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the images that the table lists with a label; the official test images have none."""
    table = require(root / TABLE, f"the table {TABLE} beside the folders Images, Annotations")
    for row in read_rows(table, COLUMNS):
        if row["label_path"]:
            split = SPLITS[one_of(row["split"], SPLITS, "split", table)]
            image, label = root / row["image_path"], Label(root / row["label_path"], read_boxes)
            yield raster_scene(f"{split}_{image.stem}", split, [rgb(image)], label)


def read_boxes(path: Path, size: Size, window: Window) -> np.ndarray:
    """Boxes (n, 5) and their classes in a window, from a Pascal VOC annotation.

    Raises:
        EosfmError: The file is damaged or no such annotation, or names another class.
    """
    rows = []
    with expecting(path, "a Pascal VOC annotation", ElementTree.ParseError):
        root = ElementTree.fromstring(read_text(path))
        if root.tag != "annotation":  # a web page may be XML as well, and has no object
            raise ValueError(f"<{root.tag}>")
        for side, found in zip(("height", "width"), size, strict=True):
            if (said := root.findtext(f"size/{side}")) is not None and int(said) != found:
                raise ValueError(f"{side} {said} where its image has {found}")
        for thing in root.findall("object"):
            # The first release writes Expressway-Service-area and the like.
            name = re.sub("[- ]", "", thing.findtext("name", "").lower())
            corners = [float(thing.findtext(f"bndbox/{side}", "")) for side in SIDES]
            rows.append([*corners, one_of(name, CLASSES, "class", path)])
    return boxes_in(np.array(rows, np.float32).reshape(-1, 5), size, window)


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
        licence="for academic use, as its authors say; CC BY-SA, as the archive's page states",
        commercial=False,
        citation="Li, Wan, Cheng, Meng, Han: Object detection in optical remote sensing images: a "
        "survey and a new benchmark, ISPRS Journal 2020, arXiv 1909.00133",
        size_gb=3.9,
        archives=archives,
    ),
    reader=scenes,
    published={"train": 5_862, "val": 5_863},
)
