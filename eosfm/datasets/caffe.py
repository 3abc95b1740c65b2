"""CaFFe: zones of calving glaciers in 8-bit radar images of seven missions at 6 to 20 m."""

from collections.abc import Iterator
from pathlib import Path

from eosfm.core.splits import SPLITS
from eosfm.datasets.native.archives import of_torchgeo
from eosfm.datasets.native.listing import matching, parse, require
from eosfm.datasets.native.scenes import Part, crop, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source, Window
from eosfm.datasets.native.values import codes

NAME = "caffe"
FOLDER = "caffe"
ZONES = {0: "no information", 64: "rock", 127: "glacier", 254: "ocean and ice melange"}
"""Zone of each grey value of the masks; "no information" is a zone that is scored."""
CODES = codes(tuple(ZONES))
EXAMPLE = "Crane_2002-11-09_ERS_20_2_061_zones__93_102_0_0_0.png"
MASK = (
    r"(?P<image>[^_]+_(?P<date>\d{4}-\d\d-\d\d)_[^_]+_[^_]+_.*)_zones_"
    r"_(?P<bottom>\d+)_(?P<right>\d+)_\d+_(?P<row>\d+)_(?P<col>\d+)\.png"
)
"""An image, the rows and columns that it was padded with, and where in it the patch begins."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the patches of the three official folders, without their padding.

    The authors padded each radar image at its lower and right edges before they cut it, in image
    and mask alike with the value of "no information", and cut that off again before they scored
    (data_postprocessing.py of their code). Patches of val and test overlap.
    """
    for split in SPLITS:
        zones = root / FOLDER / "zones" / split
        require(zones, f"the folder {FOLDER}/zones/{split} of {FOLDER}.zip")
        patches = {
            mask: parse(MASK, mask.name, mask, "masks such as " + EXAMPLE)
            for mask in matching(zones, "*.png")
        }
        last: dict[tuple[str, str], int] = {}
        for name in patches.values():
            for side in ("row", "col"):
                key = name["image"], side
                last[key] = max(int(name[side]), last.get(key, 0))
        for mask, name in patches.items():
            image = root / FOLDER / "sar_images" / split / mask.name.replace("_zones_", "_")
            parts, target = [Part(image, dtype="uint8")], Part(mask, prepare=CODES)
            id, dates = f"{split}_{image.stem}", [name["date"]]
            scene = raster_scene(id, split, parts, target, dates=dates)
            at_bottom, at_right = (
                int(name[side]) == last[name["image"], side] for side in ("row", "col")
            )
            height = scene.height - at_bottom * int(name["bottom"])
            width = scene.width - at_right * int(name["right"])
            yield crop(scene, id, split, Window(0, 0, height, width))


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
    "train glaciers and took other glaciers for test; patches of val and test overlap",
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
