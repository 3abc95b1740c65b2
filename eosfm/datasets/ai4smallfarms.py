"""AI4SmallFarms: boundaries of small fields in Cambodia and Vietnam from Sentinel-2 at 10 m.

Persello et al., AI4SmallFarms: A Dataset for Crop Field Delineation in Southeast Asian Smallholder
Farms, IEEE Geoscience and Remote Sensing Letters 2023, doi 10.1109/LGRS.2023.3323095.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "ai4smallfarms"
FOLDER = "sentinel-2-asia"
BANDS = ("B02", "B03", "B04", "B08")
FOLDERS: dict[Split, str] = {"train": "train", "val": "validate", "test": "test"}
HIGHEST = 20_000
"""Above any reflectance times 10,000; below 2 a file holds plain reflectance."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the tiles of the three published folders; any mask value but 0 is a boundary.

    Raises:
        EosfmError: A folder is missing or empty, a file is missing, damaged or of another layout.
    """
    for split, name in FOLDERS.items():
        folder = root / FOLDER / name
        images = require(folder / "images", NAME, "tiles named <number>_<country>.tif")
        masks = require(folder / "masks", NAME, "one mask per tile, of the tile's name")
        tiles = sorted(images.glob("*.tif"))
        if not tiles:
            raise EosfmError(
                f"{images} holds no tile; expected files named <number>_<country>.tif; fetch the "
                "folder again"
            )
        for tile in tiles:
            yield _scene(split, tile, require(masks / tile.name, NAME, f"the mask of {tile}"))


def _scene(split: Split, image: Path, mask: Path) -> Scene:
    header = read_header(image, len(BANDS), dtype=None)
    size = (header.height, header.width)
    return Scene(
        id=image.stem,
        split=split,
        height=header.height,
        width=header.width,
        files=(image, mask),
        image=partial(_image, image, size),
        target=partial(_target, mask, size),
        crs=header.crs,
        transform=header.transform,
    )


def _image(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    image = np.nan_to_num(read_bands(path, window, len(BANDS), size), nan=0)
    if image.min() < 0 or image.max() > HIGHEST or 0 < image.max() < 2:
        raise EosfmError(
            f"{path} has values from {image.min():g} to {image.max():g}; expected reflectance "
            "times 10,000; fetch the file again"
        )
    return np.rint(image).astype(np.uint16)[None]


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    mask = read_bands(path, window, 1, size)[0]
    values = np.unique(mask)
    if len(values) > 2 or (len(values) == 2 and values[0] != 0):
        raise EosfmError(
            f"{path} has {len(values)} values from {values[0]} to {values[-1]}; expected 0 and one "
            "other, the field boundary; fetch the file again"
        )
    return (mask != 0).astype(np.uint8)


DATASET = Dataset(
    name=NAME,
    title="AI4SmallFarms",
    kind="segmentation",
    bands=BANDS,
    units=("reflectance_1e4",) * len(BANDS),
    dtype="uint16",
    classes=("background", "field boundary"),
    gsd=10.0,
    source=Source(
        homepage="https://doi.org/10.17026/dans-xy6-ngg6",
        licence="CC BY 4.0",
        citation="Persello, Grift, Fan, Paris, Haensch, Koeva, Nelson, AI4SmallFarms: A Dataset "
        "for Crop Field Delineation in Southeast Asian Smallholder Farms, IEEE GRSL 2023, "
        "doi 10.1109/LGRS.2023.3323095",
        size_gb=0.3,
        manual=(
            "open https://doi.org/10.17026/dans-xy6-ngg6, choose the folders images and masks of "
            f"{FOLDER}/train, {FOLDER}/validate and {FOLDER}/test on its Files page, download and "
            f"unpack them so that <folder>/{FOLDER}/train/images holds tiles"
        ),
    ),
    scenes=scenes,
    split_rule="official train, validate and test folders, by tile of about 5 km",
    nodata=0,
)
"""Field boundaries, a pixel wide, in 62 tiles of about 500 x 500 pixels."""
