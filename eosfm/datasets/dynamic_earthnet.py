"""DynamicEarthNet: land cover, month by month, under daily Planet images at 3 m.

Areas of 1024 x 1024 pixels; two years of daily PlanetFusion reflectance without gaps; one label per
month.

A scene is a month of an area: six of its days, the ones that the authors' own weekly models read,
and the month's label. Snow and ice, the seventh class, occurs in too few areas to be scored;
neither it nor a pixel without any class counts. (The authors' reader takes the latter for
impervious surface.)
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets.native.listing import read_lists
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import numbers

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
LATER_LABELS = "dynamicearthnet_test_labels"
"""Folder of the labels that labels.zip lacks, laid out as there."""
LISTED = "/reprocess-cropped/UTM-24000/"
"""What the split files write where the published archive has ``/planet/``."""
REFLECTANCE = numbers(-32768, 32767, "reflectance times 10,000", np.int16)


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the months that the three split files list, in their order.

    Areas without images are all named at once: copies are known to lack some.
    """
    expected = "lines <folder>/PF-SR /labels/<area>_<zone>/.../<name>.tif <year>-<month>"
    pattern = r"(/\S+)/(\w+)/PF-SR/? /(labels/\S+\.tif) (\d{4}-\d{2})"
    lists = {split: root / SPLIT_FILES / f"{split}.txt" for split in SPLITS}
    listed = list(read_lists(lists, pattern, expected))
    folders = {
        line[2]: root / f"{line[1]}/{line[2]}/PF-SR".replace(LISTED, "/planet/").lstrip("/")
        for _, line in listed
    }
    if missing := [area for area, folder in folders.items() if not folder.is_dir()]:
        raise EosfmError(
            f"{root} has no images of {', '.join(missing)} ({folders[missing[0]]}); fetch the "
            f"planet.<zone>.zip that hold them, or take their lines out of {root / SPLIT_FILES}"
        )
    for split, line in listed:
        _, area, label, month = line.groups()
        folder, dates = folders[area], [f"{month}-{day}" for day in DAYS]
        image = [Part(folder / f"{date}.tif", len(BANDS), REFLECTANCE) for date in dates]
        target = Part(_label_file(root, label), LAYERS, _classes, dtype="uint8")
        id = f"{area}_{month}"
        # Months of an area show the same ground, so they count as one scene of the report.
        yield raster_scene(id, split, image, target, grid=target, dates=dates, product=area)


def _label_file(root: Path, listed: str) -> Path:
    """Where a label is: those of val and test came later, in a folder of another name.

    Some published folders say ``<area>-<zone>`` for ``<area>_<zone>``.
    """
    top, folder, *rest = PurePosixPath(listed).parts
    area, _, zone = folder.rpartition("_")
    places = [
        root.joinpath(first, second, *rest)
        for first in (top, LATER_LABELS)
        for second in (folder, f"{area}-{zone}")
    ]
    return next((place for place in places if place.exists()), places[0])


def _classes(layers: np.ndarray, path: Path) -> np.ndarray:
    if not np.isin(layers, (0, 255)).all():
        raise EosfmError(
            f"{path} holds values up to {layers.max()}; expected layers of 0 and 255, one per "
            "class; fetch the dataset's own labels again"
        )
    classes = layers.argmax(axis=0).astype(np.int16)
    classes[(classes == len(CLASSES)) | ~layers.any(axis=0)] = -1
    return classes[None]


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
        commercial=True,
        citation="Toker, Kondmann, Weber, Eisenberger, Camero, Hu, Hoderlein, Senaras, Davis, "
        "Cremers, Marchisio, Zhu, Leal-Taixe: DynamicEarthNet, CVPR 2022, arXiv 2203.12560",
        size_gb=525.0,
        manual=(
            "copy labels.zip and the files planet.<zone>.zip with `rsync -av "
            "rsync://m1650201@dataserv.ub.tum.de/m1650201/ <folder>` (password m1650201) and the "
            "labels of val and test, which that record lacks, with `rsync -av "
            "rsync://m1738088@dataserv.ub.tum.de/m1738088/ <folder>` (password m1738088), unzip "
            f"them there, the last one with `-d {LATER_LABELS}`, so that labels/ and "
            f"{LATER_LABELS}/ lie side by side, both of areas such as 7026_3201_13_52N, and put "
            "train.txt, val.txt and test.txt of "
            "https://cvg.cit.tum.de/webshare/u/toker/dynnet_training_splits/ (or of "
            "https://huggingface.co/datasets/torchgeo/dynamic_earthnet) into "
            f"<folder>/{SPLIT_FILES}"
        ),
    ),
    reader=scenes,
    published={"train": 1_272, "val": 240, "test": 240},
)
"""Blue, green, red, near infrared on six days of a month; six classes, snow and ice left out."""
