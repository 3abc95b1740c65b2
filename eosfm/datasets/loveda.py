"""LoveDA: land cover of rural and urban China at 0.3 m, 8-bit RGB."""

from collections.abc import Iterator
from pathlib import Path

from eosfm.core.splits import Split
from eosfm.datasets.native.archives import of_torchgeo
from eosfm.datasets.native.listing import matching, pair_all, require
from eosfm.datasets.native.scenes import Part, by_number, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import codes

NAME = "loveda"
CLASSES = (
    "no-data", "background", "building", "road", "water", "barren", "forest", "agriculture",
)  # fmt: skip
FOLDERS: dict[Split, str] = {"train": "Train", "val": "Val"}
"""The labelled folders; the masks of the official Test are kept by the authors."""
AREAS = ("Rural", "Urban")
LABELS = codes(range(len(CLASSES)))


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the labelled images below ``root`` (Train and Val)."""
    for split, folder in FOLDERS.items():
        top = require(root / folder, f"the folder {folder} of {folder}.zip")
        for area in AREAS:
            images = by_number(matching(top / area / "images_png", "*.png"))
            masks = matching(top / area / "masks_png", "*.png")
            pair_all({image.stem for image in images}, masks, ".png")
            for image in images:
                mask = Part(top / area / "masks_png" / image.name, prepare=LABELS)
                id = f"{folder}_{area}_{image.stem}".lower()
                yield raster_scene(id, split, [rgb(image)], mask)


DATASET = Dataset(
    name=NAME,
    title="LoveDA",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.3,
    ignore_index=0,
    split_rule="official Train and Val; the official Test has no public masks and is not read",
    source=Source(
        homepage="https://github.com/Junjue-Wang/LoveDA",
        licence="CC BY-NC-SA 4.0, academic use only",
        commercial=False,
        citation="Wang, Zheng, Ma, Lu, Zhong: LoveDA, NeurIPS Datasets and Benchmarks 2021, "
        "arXiv 2110.08733",
        size_gb=6.4,
        archives=of_torchgeo("LoveDA", *FOLDERS),
    ),
    reader=scenes,
    published={"train": 2_522, "val": 1_669},
)
