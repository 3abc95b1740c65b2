"""LoveDA: land cover of rural and urban China at 0.3 m, 8-bit RGB."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

CLASSES = (
    "no-data", "background", "building", "road", "water", "barren", "forest", "agriculture",
)  # fmt: skip
FOLDERS: dict[Split, str] = {"train": "Train", "val": "Val"}
"""The labelled folders; the masks of the official Test are kept by the authors."""

AREAS = ("Rural", "Urban")


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the labelled images below ``root`` (Train and Val)."""
    for split, folder in FOLDERS.items():
        require(root / folder, "loveda", f"the folder {folder} of {folder}.zip")
        for area in AREAS:
            images = (root / folder / area / "images_png").glob("*.png")
            for image in sorted(images, key=lambda path: (len(path.stem), path.stem)):
                mask = root / folder / area / "masks_png" / image.name
                require(mask, "loveda", f"the mask of {image.name}")
                height, width = png_size(image)
                yield Scene(
                    id=f"{folder.lower()}_{area.lower()}_{image.stem}",
                    split=split,
                    height=height,
                    width=width,
                    files=(image, mask),
                    image=partial(_image, image),
                    target=partial(_mask, mask),
                )


def _image(path: Path, window: Window) -> np.ndarray:
    return read_png(path, window)[np.newaxis]


def _mask(path: Path, window: Window) -> np.ndarray:
    mask = read_png(path, window, mode="L")
    if mask.size and mask.max() >= len(CLASSES):
        raise EosfmError(
            f"loveda: {path} holds class {mask.max()}; expected 0 to {len(CLASSES) - 1}; "
            "use the masks of masks_png, not coloured ones"
        )
    return mask


DATASET = Dataset(
    name="loveda",
    title="LoveDA",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8", "dn8", "dn8"),
    dtype="uint8",
    classes=CLASSES,
    gsd=0.3,
    ignore_index=0,
    split_rule="official Train and Val; the official Test has no public masks and is not read",
    source=Source(
        homepage="https://github.com/Junjue-Wang/LoveDA",
        licence="CC BY-NC-SA 4.0, academic use only",
        citation="Wang, Zheng, Ma, Lu, Zhong: LoveDA, NeurIPS Datasets and Benchmarks 2021, "
        "arXiv 2110.08733",
        size_gb=6.4,
        archives=tuple(
            Archive(
                url=f"https://zenodo.org/records/5706578/files/{name}?download=1",
                filename=name,
                checksum=f"md5:{md5}",
            )
            for name, md5 in (
                ("Train.zip", "de2b196043ed9b4af1690b3f9a7d558f"),
                ("Val.zip", "84cae2577468ff0b5386758bb386d31d"),
            )
        ),
    ),
    scenes=scenes,
)
