"""CaFFe: zones of calving glaciers in 8-bit radar images of seven missions at 6 to 20 m."""

from collections.abc import Iterator
from pathlib import Path

from eosfm.core.splits import SPLITS
from eosfm.datasets.native.archives import of_torchgeo
from eosfm.datasets.native.listing import matching, parse, require
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import codes

NAME = "caffe"
FOLDER = "caffe"
ZONES = {0: "no information", 64: "rock", 127: "glacier", 254: "ocean and ice melange"}
"""Zone of each grey value of the masks; "no information" is a zone that is scored."""
CODES = codes(tuple(ZONES))
EXAMPLE = "Crane_2002-11-09_ERS_20_2_061_zones__93_102_0_0_0.png"
MASK = r"[^_]+_(\d{4}-\d\d-\d\d)_[^_]+_[^_]+_.*_zones_.*\.png"


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the patches of the three official folders."""
    for split in SPLITS:
        zones = root / FOLDER / "zones" / split
        require(zones, f"the folder {FOLDER}/zones/{split} of {FOLDER}.zip")
        for mask in matching(zones, "*.png"):
            date = parse(MASK, mask.name, mask, "masks such as " + EXAMPLE)[1]
            image = root / FOLDER / "sar_images" / split / mask.name.replace("_zones_", "_")
            parts, target = [Part(image, dtype="uint8")], Part(mask, prepare=CODES)
            yield raster_scene(f"{split}_{image.stem}", split, parts, target, dates=[date])


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
        commercial=True,
        citation="Gourmelon, Seehaus, Braun, Maier, Christlein: Calving fronts and where to find "
        "them, Earth System Science Data 2022, doi 10.5194/essd-14-4287-2022",
        size_gb=3.3,
        archives=of_torchgeo("CaFFe"),
    ),
    reader=scenes,
    published={"train": 13_090, "val": 2_241, "test": 3_761},
)
