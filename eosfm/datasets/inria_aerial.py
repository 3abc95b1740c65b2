"""Inria Aerial Image Labeling: buildings of ten cities in orthophotos of 0.3 m."""

from collections.abc import Iterator
from pathlib import Path

from eosfm.core.splits import Split
from eosfm.datasets.native.listing import listed, matching, one_of, pair_all, parse
from eosfm.datasets.native.scenes import Part, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import codes

NAME = "inria_aerial"
FOLDER = Path("AerialImageDataset") / "train"
"""The five labelled cities; the labels of ``test`` are kept by the authors."""
CITIES = ("austin", "chicago", "kitsap", "tyrol-w", "vienna")
TILES: dict[Split, range] = {"train": range(6, 32), "val": range(1, 6), "test": range(32, 37)}
"""Tile numbers of every city: the authors validate on the first five; the last five test."""
BUILDING = 255


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the labelled tiles, city by city in the order of their numbers."""
    images = listed(root / FOLDER / "images", "*.tif", "<city><number>.tif")
    for _, number, image in sorted((*_place(path), path) for path in images):
        split = next(split for split, tiles in TILES.items() if number in tiles)
        mask = Part(root / FOLDER / "gt" / image.name, prepare=codes((0, BUILDING)))
        yield raster_scene(image.stem, split, [rgb(image)], mask)
    masks = matching(root / FOLDER / "gt", "*.tif")
    pair_all({image.stem for image in images}, masks, ".tif")


def _place(path: Path) -> tuple[str, int]:
    """City and number of a tile, from the file's name alone."""
    match = parse(r"(.*\D)([1-9]|[12]\d|3[0-6])\.tif", path.name, path, "<city><1 to 36>.tif")
    one_of(match[1], CITIES, "city", path)
    return match[1], int(match[2])


DATASET = Dataset(
    name=NAME,
    title="Inria Aerial Image Labeling",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=("background", "building"),
    gsd=0.3,
    split_rule="tiles 1 to 5 of each labelled city validate, as the authors propose; tiles 32 to "
    "36 of each test, for the official test labels are not public",
    source=Source(
        homepage="https://project.inria.fr/aerialimagelabeling/",
        licence="research use; the images under the terms of their providers, see the homepage",
        commercial=False,
        citation="Maggiori, Tarabalka, Charpiat, Alliez: Can Semantic Labeling Methods Generalize "
        "to Any City? IGARSS 2017, doi 10.1109/IGARSS.2017.8127684",
        size_gb=21.0,
        manual="follow the download instructions of the homepage and unpack "
        "NEW2-AerialImageDataset.zip (MD5 4b1acfe84ae9961edc1a6049f940380f) so that the folder "
        "AerialImageDataset appears",
    ),
    reader=scenes,
    published={"train": 130, "val": 25, "test": 25},
)
