"""LEVIR-CD+: building change between two aerial images of Texas at 0.5 m, 8-bit RGB."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from eosfm.core.splits import Split
from eosfm.datasets.native.archives import of_torchgeo
from eosfm.datasets.native.holdout import rank
from eosfm.datasets.native.listing import matching, pair_all, require
from eosfm.datasets.native.scenes import Part, by_number, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import presence

NAME = "levircdplus"
FOLDER = "LEVIR-CD+"
HELD_OUT = 0.1


def place(name: str) -> str:
    """The image pair a file belongs to: ``train_386`` for its crop ``train_386_0512_0768``."""
    return re.sub(r"_\d{4}_\d{4}$", "", name)


def validates(name: str) -> bool:
    """Whether a pair of the training folder is held out, by the name of its place alone."""
    return rank(f"{NAME}/{place(name)}") < HELD_OUT


def hold_out(names: Iterable[str]) -> frozenset[str]:
    """The places of pairs to validate on: about one in ten.

    Of several places at least one, that of the lowest rank, and never all.
    """
    places = sorted({place(name) for name in names}, key=lambda name: rank(f"{NAME}/{name}"))
    count = max(1, sum(map(validates, places)))
    return frozenset(places[: min(count, len(places) - 1)])


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the image pairs below ``root``; the official train set gives up its validation part."""
    for folder in ("train", "test"):
        top = root / FOLDER / folder
        require(top / "A", f"the folder {FOLDER}/{folder}/A of {FOLDER}.zip")
        files = by_number(matching(top / "A", "*.png"))
        pair_all({file.stem for file in files}, matching(top / "label", "*.png"), ".png")
        held_out = hold_out(file.stem for file in files)
        for file in files:
            split: Split = "val" if place(file.stem) in held_out else "train"
            split = "test" if folder == "test" else split
            images = [rgb(top / part / file.name) for part in "AB"]
            label = Part(top / "label" / file.name, prepare=presence)
            yield raster_scene(f"{folder}_{file.stem}", split, images, label, frames=2)


DATASET = Dataset(
    name=NAME,
    title="LEVIR-CD+",
    kind="change",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=("no change", "building change"),
    gsd=0.5,
    split_rule="official test; one tenth of the official train pairs, by hash of the pair's name "
    "(all crops of a pair together), is held out for validation",
    source=Source(
        homepage="https://github.com/S2Looking/Dataset",
        licence="research use only",
        commercial=False,
        citation="Shen, Lu, Chen, Wei, Xie, Yue, Chen, Lv, Jiang: S2Looking, Remote Sensing 2021, "
        "arXiv 2107.09244",
        size_gb=4.0,
        archives=of_torchgeo("LEVIRCDPlus"),
    ),
    reader=scenes,
    published={"train val": 637, "test": 348},
)
