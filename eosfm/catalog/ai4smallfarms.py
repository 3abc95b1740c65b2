"""AI4SmallFarms: boundaries of small fields in Cambodia and Vietnam from Sentinel-2 at 10 m.

Persello et al., AI4SmallFarms: A Dataset for Crop Field Delineation in Southeast Asian Smallholder
Farms, IEEE Geoscience and Remote Sensing Letters 2023, doi 10.1109/LGRS.2023.3323095.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.catalog.shared.geotiff import read_bands, read_header, write_geotiff
from eosfm.catalog.shared.layout import require
from eosfm.catalog.spec import SPLITS, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.simulation import CROPS, Landscape, cover_mask, draw_landscape, observe
from eosfm.simulation.noise import Key

NAME = "ai4smallfarms"
FOLDER = "sentinel-2-asia"
BANDS = ("B02", "B03", "B04", "B08")
FOLDERS: dict[Split, str] = {"train": "train", "val": "validate", "test": "test"}
HIGHEST = 20_000
"""Above any reflectance times 10,000; below 2 a file holds plain reflectance."""

COUNTRIES = ("cambodia", "vietnam")
DAYS = (20, 80, 230, 300)
"""Days of the year of the simulated tiles."""
REACH = 2.0
"""Pixels that two simulated fields may lie apart and still share a boundary."""
LINE = 10.0
"""Width of a boundary in metres: one pixel of the original."""


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


def simulate(root: Path, simulation: Simulation) -> None:
    """Write tiles of crooked little fields of two countries, one day of the year each."""
    number = 0
    for split in SPLITS:
        for index in range(simulation.scenes[split]):
            key = (simulation.seed, NAME, split, index)
            image, mask = _draw(key, index, simulation)
            name = f"{number}_{COUNTRIES[index % len(COUNTRIES)]}.tif"
            origin = (500_000.0 + number * simulation.size * simulation.gsd, 1_300_000.0)
            for folder, pixels in (("images", image), ("masks", mask[None])):
                path = root / FOLDER / FOLDERS[split] / folder / name
                write_geotiff(path, pixels, simulation.gsd, origin, "EPSG:32648")
            number += 1


def _draw(key: Key, index: int, simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Image (4, H, W) uint16 and boundaries (H, W) uint8 of one tile."""
    shape = (simulation.size, simulation.size)
    doy = DAYS[index // len(COUNTRIES) % len(DAYS)]
    land = draw_landscape(key, shape, simulation.gsd, "smallholder", doy=doy)
    seen = observe(land, (*key, "s2"), BANDS, cloud=0.04 * (index % 5 == 4))
    return np.maximum(seen.image, 1), _boundaries(land)


def _boundaries(land: Landscape) -> np.ndarray:
    """(H, W) uint8 lines, 1 where a field ends."""
    from scipy.ndimage import binary_dilation, distance_transform_edt

    fields = cover_mask(land.cover, *CROPS, "bare_field")
    number = np.where(fields, land.parcel, 0)
    # Balks between two fields are no land of their own: they fall to the nearer field.
    away, nearest = distance_transform_edt(number == 0, return_indices=True)
    number = np.where(away < REACH, number[tuple(nearest)], 0)
    line = np.zeros(land.size, bool)
    line[:, :-1] |= number[:, :-1] != number[:, 1:]
    line[:-1] |= number[:-1] != number[1:]
    width = max(1, round(LINE / land.gsd))
    return binary_dilation(line, np.ones((width, width), bool)).astype(np.uint8)


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
    simulate=simulate,
    split_rule="official train, validate and test folders, by tile of about 5 km",
    nodata=0,
)
"""Field boundaries, a pixel wide, in 62 tiles of about 500 x 500 pixels."""
