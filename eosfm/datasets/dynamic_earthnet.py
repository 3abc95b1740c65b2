"""DynamicEarthNet: land cover, month by month, under daily Planet images at 3 m.

Toker et al., CVPR 2022 (arXiv 2203.12560). Areas of 1024 x 1024 pixels; two years of daily
PlanetFusion reflectance without gaps; one label per month.

A scene is a month of an area: six of its days, the ones that the authors' own weekly models read,
and the month's label. Snow and ice, the seventh class, occurs in too few areas to be scored;
neither it nor a pixel without any class counts. (The authors' reader takes the latter for
impervious surface.)
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "dynamic_earthnet"
BANDS = ("blue", "green", "red", "nir")
CLASSES = (
    "impervious surface", "agriculture", "forest and other vegetation", "wetlands", "soil", "water",
)  # fmt: skip
LAYERS = len(CLASSES) + 1
"""Label layers: the classes, then snow and ice."""
DAYS = ("01", "05", "10", "15", "20", "25")
"""Days of the month that are read."""
SPLIT_FILES = "dynnet_training_splits"
LISTED = "/reprocess-cropped/UTM-24000/"
"""What the split files write where the published archive has ``/planet/``."""


class Row(NamedTuple):
    """A line of a split file: a month of an area."""

    split: Split
    area: str
    images: Path
    label: Path
    month: str


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the months that the three split files list, in their order.

    Raises:
        EosfmError: A split file, an image or a label is missing, damaged or of another layout.
    """
    for split in SPLITS:
        path = require(
            root / SPLIT_FILES / f"{split}.txt", NAME, "lines of <image folder> <label> <month>"
        )
        for line in path.read_text().splitlines():
            yield _scene(_row(root, split, path, line))


def _row(root: Path, split: Split, path: Path, line: str) -> Row:
    match = re.fullmatch(r"(/\S+)/(\w+)/PF-SR/? /(labels/\S+\.tif) (\d{4}-\d{2})\s*", line)
    if not match:
        raise EosfmError(
            f"{path} has the line {line[:120]!r}; expected {LISTED}<zone>/<grid>/<area>/PF-SR "
            "/labels/<area>_<zone>/.../<name>.tif <year>-<month>; fetch the file again"
        )
    above, area, label, month = match.groups()
    images = root / f"{above}/{area}/PF-SR".replace(LISTED, "/planet/").lstrip("/")
    return Row(split, area, images, _label(root, label), month)


def _label(root: Path, listed: str) -> Path:
    """Where a label is: some published folders say ``<area>-<zone>`` for ``<area>_<zone>``."""
    path = root / listed
    top, folder, *rest = PurePosixPath(listed).parts
    area, _, zone = folder.rpartition("_")
    hyphened = root.joinpath(top, f"{area}-{zone}", *rest)
    return hyphened if not path.exists() and hyphened.exists() else path


def _scene(row: Row) -> Scene:
    label = require(row.label, NAME, f"the label of {row.month} that {row.split}.txt lists")
    images = tuple(
        require(row.images / f"{row.month}-{day}.tif", NAME, f"a day that {row.split}.txt lists")
        for day in DAYS
    )
    header = read_header(label, LAYERS, "uint8")
    size = (header.height, header.width)
    return Scene(
        id=f"{row.area}_{row.month}",
        split=row.split,
        height=size[0],
        width=size[1],
        files=(*images, label),
        image=partial(_image, images, size),
        target=partial(_target, label, size),
        crs=header.crs,
        transform=header.transform,
        dates=tuple(f"{row.month}-{day}" for day in DAYS),
    )


def _image(files: tuple[Path, ...], size: tuple[int, int], window: Window) -> np.ndarray:
    return np.stack([_day(file, size, window) for file in files])


def _day(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    pixels = read_bands(path, window, len(BANDS), size)
    whole = pixels.astype(np.int16)
    if (whole != pixels).any():
        raise EosfmError(
            f"{path} does not hold whole numbers up to 32767; expected reflectance times 10,000; "
            "fetch the file again"
        )
    return whole


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    layers = read_bands(path, window, LAYERS, size)
    if not np.isin(layers, (0, 255)).all():
        raise EosfmError(
            f"{path} holds values up to {layers.max()}; expected layers of 0 and 255, one per "
            "class; fetch the dataset's own labels again"
        )
    classes = layers.argmax(axis=0).astype(np.int16)
    classes[(classes == len(CLASSES)) | ~layers.any(axis=0)] = -1
    return classes


DATASET = Dataset(
    name=NAME,
    title="DynamicEarthNet",
    kind="segmentation",
    bands=BANDS,
    units=("reflectance_1e4",) * len(BANDS),
    dtype="int16",
    classes=CLASSES,
    gsd=3.0,
    ignore_index=-1,
    nodata=0,
    split_rule="official train, val and test files, which hold areas apart",
    source=Source(
        homepage="https://mediatum.ub.tum.de/1650201",
        licence="CC BY-SA 4.0",
        citation="Toker, Kondmann, Weber, Eisenberger, Camero, Hu, Hoderlein, Senaras, Davis, "
        "Cremers, Marchisio, Zhu, Leal-Taixe: DynamicEarthNet, CVPR 2022, arXiv 2203.12560",
        size_gb=525.0,
        manual=(
            "copy labels.zip and the files planet.<zone>.zip with `rsync -av "
            "rsync://m1650201@dataserv.ub.tum.de/m1650201/ <folder>` (password m1650201), unzip "
            "them there, and put train.txt, val.txt and test.txt of "
            "https://cvg.cit.tum.de/webshare/u/toker/dynnet_training_splits/ into "
            f"<folder>/{SPLIT_FILES}"
        ),
    ),
    scenes=scenes,
)
"""Blue, green, red, near infrared on six days of a month; six classes, snow and ice left out."""
