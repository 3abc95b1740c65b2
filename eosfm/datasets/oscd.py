"""OSCD: urban change between two Sentinel-2 images of a city, all thirteen bands at 10 m."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from eosfm.core.bands import S2_BANDS
from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.native.archives import archive
from eosfm.datasets.native.listing import folders, read_text, require
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Archive, Dataset, Scene, Source
from eosfm.datasets.native.values import presence

NAME = "oscd"
PREFIX = "Onera Satellite Change Detection dataset -"
IMAGES = f"{PREFIX} Images"
LABELS: dict[Split, str] = {"train": f"{PREFIX} Train Labels", "test": f"{PREFIX} Test Labels"}
MIRROR = (
    "https://huggingface.co/datasets/hkristen/oscd/resolve/"
    "4958d786c1389ede1511d91a6ecf1a75c4074933/"
)
DATES = ("imgs_1_rect", "imgs_2_rect")

CITIES: dict[Split, tuple[str, ...]] = {
    "train": (
        "aguasclaras", "bercy", "bordeaux", "paris", "rennes", "saclay_e", "abudhabi", "pisa",
        "beihai", "hongkong", "beirut",
    ),
    "val": ("cupertino", "mumbai", "nantes"),
    "test": (
        "brasilia", "montpellier", "norcia", "rio", "saclay_w", "valencia", "dubai", "lasvegas",
        "milano", "chongqing",
    ),
}  # fmt: skip
"""The official 14 training cities, three of them held out for validation, and 10 test cities."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the pairs of images of all cities that have a label."""
    for official, folder in LABELS.items():
        labels = require(root / folder, f"the folder of {folder}.zip")
        for city in (path.name for path in folders(labels)):
            split = "val" if official == "train" and city in CITIES["val"] else official
            top = require(root / IMAGES / city, f"the images of {city} from {IMAGES}.zip")
            image = [
                Part(top / date / f"{band}.tif", dtype="uint16")
                for date in DATES
                for band in S2_BANDS
            ]
            # Any value above 0, as the authors read it: aguasclaras has soft edges.
            target = Part(labels / city / "cm" / "cm.png", prepare=presence)
            dates = _dates(require(top / "dates.txt", f"the dates of {city}"))
            scene = raster_scene(city, split, image, target, dates=dates)
            # The published files have no georeference; whatever a copy's say, it is not theirs.
            yield replace(scene, crs=None, transform=None)


def _dates(path: Path) -> tuple[str, ...]:
    """ISO dates of lines such as ``date_1: 20161130``."""
    stamps = [line.split()[-1] for line in read_text(path).splitlines() if line.strip()]
    if len(stamps) != len(DATES) or not all(len(s) == 8 and s.isdigit() for s in stamps):
        raise EosfmError(
            f"{path} names the dates {', '.join(stamps) or 'none'}; expected two lines such as "
            "'date_1: 20161130'; fetch the file again"
        )
    return tuple(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}" for stamp in stamps)


def archives() -> tuple[Archive, ...]:
    """The images and both sets of labels, by torchgeo's checksums.

    The university's addresses, which torchgeo 0.8 has, fail: one has the certificate of another
    host (torchgeo's issue 3239). Later torchgeo takes this copy of the same files.
    """
    from torchgeo.datasets import OSCD

    return tuple(archive(MIRROR + quote(name), name, md5) for name, md5 in OSCD.md5s.items())


DATASET = Dataset(
    name=NAME,
    title="Onera Satellite Change Detection (OSCD)",
    kind="change",
    bands=S2_BANDS,
    units=("reflectance_1e4",) * len(S2_BANDS),
    dtype="uint16",
    classes=("no change", "urban change"),
    gsd=10.0,
    split_rule="official test cities; of the official 14 training cities Cupertino, Mumbai and "
    "Nantes are held out for validation",
    source=Source(
        homepage="https://rcdaudt.github.io/oscd/",
        # README.txt of the archive of labels; the images contain modified Copernicus data 2015-2018
        licence="change maps CC BY-NC-SA, commercial use by agreement; images Copernicus Sentinel",
        commercial=False,
        citation="Daudt, Le Saux, Boulch, Gousseau: Urban change detection for multispectral Earth "
        "observation using convolutional neural networks, IGARSS 2018, arXiv 1810.08468",
        size_gb=0.5,
        archives=archives,
    ),
    reader=scenes,
    published={"train": 11, "val": 3, "test": 10},
)
