"""OSCD: urban change between two Sentinel-2 images of a city, all thirteen bands at 10 m.

Daudt, Le Saux, Boulch, Gousseau, IGARSS 2018, doi 10.1109/IGARSS.2018.8518015.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.readers.geotiff import read_bands
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

NAME = "oscd"
PREFIX = "Onera Satellite Change Detection dataset -"
IMAGES = f"{PREFIX} Images"
LABELS = {"train": f"{PREFIX} Train Labels", "test": f"{PREFIX} Test Labels"}
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
    """Yield the pairs of images of all cities that have a label.

    Raises:
        EosfmError: A folder or file is missing, damaged or of another layout.
    """
    for official, folder in LABELS.items():
        labels = require(root / folder, NAME, f"the folder of {folder}.zip")
        for city in sorted(path.name for path in labels.iterdir() if path.is_dir()):
            held_out = official == "train" and city in CITIES["val"]
            yield _scene(root, "val" if held_out else official, city, labels / city / "cm/cm.png")


def _scene(root: Path, split: str, city: str, label: Path) -> Scene:
    place = require(root / IMAGES / city, NAME, f"the images of {city} from {IMAGES}.zip")
    files = tuple(
        require(place / date / f"{band}.tif", NAME, f"a band of {city} brought to 10 m")
        for date in DATES
        for band in S2_BANDS
    )
    size = png_size(require(label, NAME, f"the change map of {city}"))
    return Scene(
        id=city,
        split=next(name for name in SPLITS if name == split),
        height=size[0],
        width=size[1],
        files=(*files, label),
        image=partial(_pair, files, size),
        target=partial(_change, label),
        dates=_dates(require(place / "dates.txt", NAME, f"the dates of {city}")),
    )


def _pair(files: tuple[Path, ...], size: tuple[int, int], window: Window) -> np.ndarray:
    bands = np.concatenate([read_bands(file, window, 1, size) for file in files])
    return bands.reshape(len(DATES), len(S2_BANDS), window.height, window.width)


def _change(label: Path, window: Window) -> np.ndarray:
    return (read_png(label, window, mode="L") > 0).astype(np.uint8)


def _dates(path: Path) -> tuple[str, ...]:
    """ISO dates of lines such as ``date_1: 20161130``."""
    stamps = [line.split()[-1] for line in path.read_text().splitlines() if line.strip()]
    if len(stamps) != len(DATES) or not all(len(s) == 8 and s.isdigit() for s in stamps):
        raise EosfmError(
            f"{path} names the dates {', '.join(stamps) or 'none'}; expected two lines such as "
            "'date_1: 20161130'; fetch the file again"
        )
    return tuple(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}" for stamp in stamps)


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
        licence="CC BY 4.0; contains modified Copernicus data 2015-2018",
        citation="Daudt, Le Saux, Boulch, Gousseau: Urban change detection for multispectral Earth "
        "observation using convolutional neural networks, IGARSS 2018, arXiv 1810.08468",
        size_gb=0.5,
        archives=tuple(
            Archive(url=f"{host}/{key}/download", filename=f"{PREFIX} {name}.zip", checksum=md5)
            for name, host, key, md5 in (
                (
                    "Images",
                    "https://partage.imt.fr/index.php/s",
                    "gKRaWgRnLMfwMGo",
                    "md5:c50d4a2941da64e03a47ac4dec63d915",
                ),
                (
                    "Train Labels",
                    "https://partage.mines-telecom.fr/index.php/s",
                    "2D6n03k58ygBSpu",
                    "md5:4d2965af8170c705ebad3d6ee71b6990",
                ),
                (
                    "Test Labels",
                    "https://partage.imt.fr/index.php/s",
                    "gpStKn4Mpgfnr63",
                    "md5:8177d437793c522653c442aa4e66c617",
                ),
            )
        ),
    ),
    scenes=scenes,
)
"""Top-of-atmosphere reflectance of both dates on one 10 m grid, 0.2 to 1.4 million pixels each."""
