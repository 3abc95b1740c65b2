"""CaFFe: zones of calving glaciers in 8-bit radar images of seven missions at 6 to 20 m.

Gourmelon et al., Calving fronts and where to find them, Earth System Science Data 2022,
doi 10.5194/essd-14-4287-2022.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

NAME = "caffe"
FOLDER = "caffe"
ZONES = {0: "no information", 64: "rock", 127: "glacier", 254: "ocean and ice melange"}
"""Zone of each grey value of the masks."""

UNKNOWN = 255
CLASS_OF = np.full(256, UNKNOWN, np.uint8)
CLASS_OF[list(ZONES)] = range(len(ZONES))


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the patches of the three official folders.

    Raises:
        EosfmError: A folder or file is missing, a file is damaged or named otherwise.
    """
    for split in SPLITS:
        zones = root / FOLDER / "zones" / split
        require(zones, NAME, f"the folder {FOLDER}/zones/{split} of {FOLDER}.zip")
        for mask in sorted(zones.glob("*.png")):
            yield _scene(root, split, mask)


def _scene(root: Path, split: Split, mask: Path) -> Scene:
    glacier, found, patch = mask.stem.partition("_zones_")
    date = glacier.split("_")[1] if found and glacier.count("_") >= 4 else ""
    if len(date) != 10:
        raise EosfmError(
            f"{NAME}: {mask} is no mask of a patch; expected a name such as "
            "Crane_2002-11-09_ERS_20_2_061_zones__93_102_0_0_0.png; unpack the archive again"
        )
    image = root / FOLDER / "sar_images" / split / f"{glacier}_{patch}.png"
    require(image, NAME, f"the radar image of {mask.name}")
    height, width = png_size(mask)
    if png_size(image) != (height, width):
        raise EosfmError(
            f"{NAME}: {image} is of {png_size(image)} pixels and its mask of {(height, width)}; "
            "expected one size; unpack the archive again"
        )
    return Scene(
        id=f"{split}_{image.stem}",
        split=split,
        height=height,
        width=width,
        files=(image, mask),
        image=partial(_image, image),
        target=partial(_zones, mask),
        dates=(date,),
    )


def _image(path: Path, window: Window) -> np.ndarray:
    return read_png(path, window, mode="L")[np.newaxis, np.newaxis]


def _zones(path: Path, window: Window) -> np.ndarray:
    grey = read_png(path, window, mode="L")
    zones = CLASS_OF[grey]
    if (zones == UNKNOWN).any():
        raise EosfmError(
            f"{path} holds the grey value {grey[zones == UNKNOWN][0]}; expected "
            f"{', '.join(map(str, ZONES))}; use the masks of the folder zones"
        )
    return zones


DATASET = Dataset(
    name=NAME,
    title="CaFFe (calving fronts and where to find them), zones",
    kind="segmentation",
    bands=("sar",),
    units=("dn8",),
    dtype="uint8",
    classes=tuple(ZONES.values()),
    gsd=20.0,
    split_rule="official train, val and test; its authors drew val by whole radar image from the "
    "train glaciers and took other glaciers for test",
    source=Source(
        homepage="https://doi.pangaea.de/10.1594/PANGAEA.940950",
        licence="CC BY 4.0",
        citation="Gourmelon, Seehaus, Braun, Maier, Christlein: Calving fronts and where to find "
        "them, Earth System Science Data 2022, doi 10.5194/essd-14-4287-2022",
        size_gb=3.3,
        archives=(
            Archive(
                url="https://huggingface.co/datasets/torchgeo/caffe/resolve/"
                "cc96e8418981ce0f03afc9beace6422fdd7142c4/caffe.zip",
                filename="caffe.zip",
                checksum="md5:9a92fd6f05af74fbc41602595a55df0d",
            ),
        ),
    ),
    scenes=scenes,
)
"""Four zones in patches of 512 x 512 pixels; "no information" is a zone that is scored."""
