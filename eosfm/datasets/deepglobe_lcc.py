"""DeepGlobe Land Cover: rural land in satellite images of 0.5 m, RGB-coded masks."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from eosfm.datasets.native.holdout import divide
from eosfm.datasets.native.labels import read_colors
from eosfm.datasets.native.listing import listed, matching, pair_all
from eosfm.datasets.native.scenes import Label, by_number, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Source

NAME = "deepglobe_lcc"
FOLDERS = ("training_data", "test_data")
split_of = partial(divide, NAME, "test_data", 0.1)
"""The split of a scene of one of the published folders."""

COLORS = {
    (0, 255, 255): "urban",
    (255, 255, 0): "agriculture",
    (255, 0, 255): "rangeland",
    (0, 255, 0): "forest",
    (0, 0, 255): "water",
    (255, 255, 255): "barren",
    (0, 0, 0): "unknown",
}
CLASSES = tuple(COLORS.values())
UNKNOWN = CLASSES.index("unknown")


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the labelled images; the training folder gives up its validation part.

    As the challenge has it, each channel of a mask counts as 0 or 255.
    """
    classes = {color: index for index, color in enumerate(COLORS)}
    decode = partial(read_colors, classes, 127)
    for folder in FOLDERS:
        top = root / "data" / folder
        images = by_number(listed(top / "images", "*_sat.jpg", "images of data.zip"))
        numbers = {image.stem.removesuffix("_sat") for image in images}
        pair_all(numbers, matching(top / "masks", "*_mask.png"), "_mask.png")
        for image in images:
            number = image.stem.removesuffix("_sat")
            mask = Label(top / "masks" / f"{number}_mask.png", decode)
            yield raster_scene(image.stem, split_of(folder, number), [rgb(image)], mask)


DATASET = Dataset(
    name=NAME,
    title="DeepGlobe Land Cover Classification",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.5,
    ignore_index=UNKNOWN,
    split_rule="training and test folders of the labelled edition with 803 images; one tenth of "
    "the training scenes, by hash of the scene's number, validates",
    source=Source(
        homepage="https://www.kaggle.com/datasets/geoap96/"
        "deepglobe2018-landcover-segmentation-traindataset",
        licence="DeepGlobe challenge, research use only",
        commercial=False,
        citation="Demir, Koperski, Lindenbaum, Pang, Huang, Basu, Hughes, Tuia, Raskar: DeepGlobe "
        "2018, CVPR Workshops 2018, arXiv 1805.06561",
        size_gb=2.8,
        manual="log in at Kaggle, download geoap96/deepglobe2018-landcover-segmentation-"
        "traindataset and unpack its data.zip (MD5 f32684b0b2bf6f8d604cd359a399c061), which holds "
        "data/training_data and data/test_data",
    ),
    reader=scenes,
    published={"train val test": 803},
)
