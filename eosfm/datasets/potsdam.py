"""ISPRS Potsdam: land cover of a city in aerial orthophotos of 5 cm."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from eosfm.core.splits import Split
from eosfm.datasets.native.labels import read_colors
from eosfm.datasets.native.listing import listed
from eosfm.datasets.native.scenes import Label, Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source

NAME = "potsdam"
IMAGES = "4_Ortho_RGBIR"
LABELS = "5_Labels_all"
IGNORE = 255

TILES: dict[Split, tuple[str, ...]] = {
    "train": (
        "2_10", "2_11", "3_10", "3_11", "3_12", "4_11", "4_12", "5_10", "5_11", "5_12",
        "6_8", "6_9", "6_10", "6_11", "6_12", "7_7", "7_8", "7_9", "7_10", "7_12",
    ),
    "val": ("2_12", "4_10", "6_7", "7_11"),
    "test": (
        "2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15",
        "5_13", "5_14", "5_15", "6_13", "6_14", "6_15", "7_13",
    ),
}  # fmt: skip
"""The contest's 24 training tiles, four of them held out for validation, and its 14 test tiles."""

COLORS = {
    (255, 0, 0): "clutter",
    (255, 255, 255): "impervious surfaces",
    (0, 0, 255): "building",
    (0, 255, 255): "low vegetation",
    (0, 255, 0): "tree",
    (255, 255, 0): "car",
}
CLASSES = tuple(COLORS.values())
BOUNDARY = (0, 0, 0)
"""Object boundaries in the ``noBoundary`` variants of the labels: not scored."""
TOLERANCE = 88
"""A channel may be this far from 0 or 255: the published mask of 4_12 was saved with loss, and has
colours such as (9, 222, 221) (torchgeo's issue 1727); none of its channels is within 40 of 127."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the tiles that are there, in the contest's order.

    The labels lie beside the image folder or in a folder of their own, depending on how their
    archive was unpacked. The RGB and IRRG variants of the images lack a band.
    """
    classes = {color: index for index, color in enumerate(COLORS)} | {BOUNDARY: IGNORE}
    decode = partial(read_colors, classes, TOLERANCE)
    images = listed(root / IMAGES, "top_potsdam_*_RGBIR.tif", f"the images of {IMAGES}.zip")
    labels = root / LABELS if (root / LABELS).is_dir() else root
    for split, tiles in TILES.items():
        for id in (f"top_potsdam_{tile}" for tile in tiles):
            image = Part(root / IMAGES / f"{id}_RGBIR.tif", 4, dtype="uint8")
            if image.path in images:
                label = Label(labels / f"{id}_label.tif", decode)
                yield raster_scene(id, split, [image], label)


DATASET = Dataset(
    name=NAME,
    title="ISPRS Potsdam 2D Semantic Labeling",
    kind="segmentation",
    bands=("red", "green", "blue", "nir"),
    units=("dn8",) * 4,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.05,
    ignore_index=IGNORE,
    split_rule="official train and test tiles; 2_12, 4_10, 6_7 and 7_11 of train validate",
    source=Source(
        homepage="https://www.isprs.org/resources/datasets/benchmarks/UrbanSemLab/"
        "2d-sem-label-potsdam.aspx",
        licence="research use with acknowledgement of ISPRS",
        commercial=False,
        citation="Rottensteiner et al., The ISPRS benchmark on urban object classification and 3D "
        "building reconstruction, 2012, doi 10.5194/isprsannals-I-3-293-2012",
        size_gb=13.3,
        manual="download Potsdam.zip by the link and the password on the homepage, and unpack the "
        "4_Ortho_RGBIR.zip (MD5 c4a8f7d8c7196dd4eba4addd0aae10c1) and the 5_Labels_all.zip that it "
        "holds into one folder",
    ),
    reader=scenes,
    published={"train": 20, "val": 4, "test": 14},
)
