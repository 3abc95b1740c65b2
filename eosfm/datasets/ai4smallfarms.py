"""AI4SmallFarms: boundaries of small fields in Cambodia and Vietnam from Sentinel-2 at 10 m."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eosfm.core.splits import Split
from eosfm.datasets.native.listing import listed, matching, pair_all
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import in_range

NAME = "ai4smallfarms"
FOLDER = "sentinel-2-asia"
BANDS = ("B02", "B03", "B04", "B08")
FOLDERS: dict[Split, str] = {"train": "train", "val": "validate", "test": "test"}
HIGHEST = 20_000
"""Above any reflectance times 10,000; below 2 a file holds plain reflectance."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the tiles of the three published folders; any mask value but 0 is a boundary."""
    for split, name in FOLDERS.items():
        folder = root / FOLDER / name
        tiles = listed(folder / "images", "*.tif", "tiles <number>_<country>.tif")
        pair_all({tile.stem for tile in tiles}, matching(folder / "masks", "*.tif"), ".tif")
        for tile in tiles:
            image = Part(tile, len(BANDS), _reflectance)
            mask = Part(folder / "masks" / tile.name, prepare=_boundaries)
            yield raster_scene(tile.stem, split, [image], mask)


def _reflectance(pixels: np.ndarray, path: Path) -> np.ndarray:
    pixels = np.nan_to_num(pixels, nan=0)
    expected = "reflectance times 10,000"
    in_range(pixels, path, 0, 0 if pixels.max() < 2 else HIGHEST, expected)
    return np.rint(pixels).astype(np.uint16)


def _boundaries(pixels: np.ndarray, path: Path) -> np.ndarray:
    drawn, line = pixels != 0, pixels.max()
    in_range(pixels[drawn], path, line, line, "0 and one other value, the field boundary")
    return drawn.astype(np.uint8)


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
        commercial=True,
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
    reader=scenes,
    published={"train val test": 62},
    split_rule="official train, validate and test folders, by tile of about 5 km",
    nodata=0,
)
"""Field boundaries, a pixel wide, in 62 tiles of about 500 x 500 pixels."""
