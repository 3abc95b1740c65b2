"""LandCover.ai version 1: buildings, woodland, water and roads of Poland in orthophotos."""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets.native.archives import of_torchgeo
from eosfm.datasets.native.listing import read_lists
from eosfm.datasets.native.scenes import Part, crop, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Source, Window
from eosfm.datasets.native.values import codes

NAME = "landcoverai"
TILE = 512
"""Side of the published tiles in pixels."""
CLASSES = ("background", "building", "woodland", "water", "road")


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every published tile as a part of its orthophoto.

    A line ``<sheet>_<n>`` of a list is the n-th place of 512 px, in row order from 0; places that
    the right and lower edges cut are counted, but never listed.
    """
    whole = cache(partial(_sheet, root))
    lists = {split: root / f"{split}.txt" for split in SPLITS}
    for split, tile in read_lists(lists, r"(.+)_(\d+)", "<sheet>_<number>"):
        sheet = whole(tile[1])
        yield crop(sheet, tile[0], split, _part(sheet, int(tile[2]), lists[split]))


def _sheet(root: Path, sheet: str) -> Scene:
    """An orthophoto, whose header is read once for all its tiles."""
    image, mask = (root / folder / f"{sheet}.tif" for folder in ("images", "masks"))
    target = Part(mask, prepare=codes(range(len(CLASSES))))
    return raster_scene(sheet, "train", [rgb(image)], target)


def _part(sheet: Scene, number: int, listing: Path) -> Window:
    row, col = (TILE * place for place in divmod(number, -(-sheet.width // TILE)))
    if row + TILE > sheet.height or col + TILE > sheet.width:
        raise EosfmError(
            f"{listing} names {sheet.id}_{number}, which is no whole tile of {sheet.files[0]} with "
            f"its {sheet.height}x{sheet.width} px; fetch the orthophoto and the lists again"
        )
    return Window(row, col, TILE, TILE)


DATASET = Dataset(
    name=NAME,
    title="LandCover.ai v1",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.25,  # 33 of the 41 orthophotos; the other eight have 0.5 m
    split_rule="official lists of 512 px tiles, which deal the tiles of one orthophoto out to all "
    "splits",
    source=Source(
        homepage="https://landcover.ai.linuxpolska.com",
        licence="CC BY-NC-SA 4.0",
        commercial=False,
        citation="Boguszewski, Batorski, Ziemba-Jankowska, Dziedzic, Zambrzycka: LandCover.ai, "
        "CVPR Workshops 2021, arXiv 2005.02264",
        size_gb=1.5,
        # Of torchgeo's two, the one that does not cut the orthophotos up beforehand.
        archives=of_torchgeo("LandCoverAIGeo"),
    ),
    reader=scenes,
    published={"train": 7_470, "val": 1_602, "test": 1_602},
)
