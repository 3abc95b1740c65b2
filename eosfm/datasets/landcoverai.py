"""LandCover.ai version 1: buildings, woodland, water and roads of Poland in orthophotos."""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.readers.geotiff import Header, read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

NAME = "landcoverai"
TILE = 512
"""Side of the published tiles in pixels."""

CLASSES = ("background", "building", "woodland", "water", "road")


Transform = tuple[float, float, float, float, float, float]


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every published tile as a window of its orthophoto.

    A line ``<sheet>_<n>`` of a list is the n-th place of 512 px, in row order from 0; places that
    the right and lower edges cut are counted, but never listed.

    Raises:
        EosfmError: A list, an orthophoto or a mask is missing, or a line names no whole tile or
            one that was named before.
    """
    seen: dict[str, str] = {}
    for split in SPLITS:
        listing = require(
            root / f"{split}.txt", NAME, f"the list of {split} tiles of landcover.ai.v1.zip"
        )
        for line in listing.read_text().split():
            if line in seen:
                raise EosfmError(
                    f"{NAME}: {listing} names {line}, which {seen[line]} names too; expected each "
                    "tile in one split; fetch the lists again"
                )
            seen[line] = listing.name
            yield _tile(root, split, line, listing)


def _tile(root: Path, split: Split, name: str, listing: Path) -> Scene:
    sheet, _, number = name.rpartition("_")
    if not sheet or not number.isdecimal():
        raise EosfmError(
            f"{NAME}: {listing} has the line {name!r}; expected <sheet>_<number>; fetch it again"
        )
    image, mask = (
        require(root / folder / f"{sheet}.tif", NAME, f"the orthophoto or mask of tile {name}")
        for folder in ("images", "masks")
    )
    header = _header(image, image.stat().st_mtime_ns)
    row, col = (TILE * place for place in divmod(int(number), -(-header.width // TILE)))
    if row + TILE > header.height or col + TILE > header.width:
        raise EosfmError(
            f"{NAME}: {listing} names {name}, which is no whole tile of {image} with its "
            f"{header.height}x{header.width} px; fetch the orthophoto and the lists again"
        )
    size = (header.height, header.width)
    return Scene(
        id=name,
        split=split,
        height=TILE,
        width=TILE,
        files=(image, mask),
        image=partial(_image, image, size, (row, col)),
        target=partial(_target, mask, size, (row, col)),
        crs=header.crs,
        transform=_moved(header.transform, row, col),
    )


@cache
def _header(path: Path, version: int) -> Header:
    """The header, read once per orthophoto; ``version`` makes a rewritten file a new entry."""
    return read_header(path, 3, "uint8")


def _moved(transform: Transform | None, row: int, col: int) -> Transform | None:
    """The transform of a part of a raster that begins at ``row`` and ``col``."""
    if transform is None:
        return None
    a, b, c, d, e, f = transform
    return (a, b, c + a * col + b * row, d, e, f + d * col + e * row)


def _within(origin: tuple[int, int], window: Window) -> Window:
    return window._replace(row=origin[0] + window.row, col=origin[1] + window.col)


def _image(
    path: Path, size: tuple[int, int], origin: tuple[int, int], window: Window
) -> np.ndarray:
    return read_bands(path, _within(origin, window), 3, size)[None]


def _target(
    path: Path, size: tuple[int, int], origin: tuple[int, int], window: Window
) -> np.ndarray:
    mask = read_bands(path, _within(origin, window), 1, size)[0]
    if mask.max() >= len(CLASSES):
        raise EosfmError(
            f"{NAME}: {path} holds class {mask.max()}; expected 0 to {len(CLASSES) - 1}; "
            "use the masks of landcover.ai.v1.zip unchanged"
        )
    return mask


DATASET = Dataset(
    name=NAME,
    title="LandCover.ai v1",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.25,
    split_rule="official lists of 512 px tiles, which deal the tiles of one orthophoto out to all "
    "splits",
    source=Source(
        homepage="https://landcover.ai.linuxpolska.com",
        licence="CC BY-NC-SA 4.0",
        citation="Boguszewski, Batorski, Ziemba-Jankowska, Dziedzic, Zambrzycka: LandCover.ai, "
        "CVPR Workshops 2021, arXiv 2005.02264",
        size_gb=1.5,
        archives=(
            Archive(
                url="https://landcover.ai.linuxpolska.com/download/landcover.ai.v1.zip",
                filename="landcover.ai.v1.zip",
                checksum="md5:3268c89070e8734b4e91d531c0617e03",
            ),
        ),
    ),
    scenes=scenes,
)
