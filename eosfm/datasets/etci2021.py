"""ETCI 2021: flooded areas in Sentinel-1 tiles of four labelled events.

NASA IMPACT and IEEE GRSS, ETCI 2021 Competition on Flood Detection.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

NAME = "etci2021"
FOLDERS = ("train", "test")
REGIONS: dict[str, Split] = {
    "bangladesh": "train",
    "nebraska": "train",
    "northal": "val",
    "florence": "test",
}
"""The labelled regions. Red River North (``test_internal``) has no flood labels."""
GAP_BYTES = 8192
"""A tile with any speckle in it takes more than this; smaller ones are looked into."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every labelled tile; those that lie in a swath gap are left out.

    A gap tile holds nothing but 0 and 255 in one polarisation.

    Raises:
        EosfmError: A folder or a tile's file is missing, a region is unknown, a file is damaged.
    """
    for name in FOLDERS:
        folder = require(root / name, NAME, "event folders such as bangladesh_20170314t115609")
        for event in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield from _event_scenes(event)


def _event_scenes(event: Path) -> Iterator[Scene]:
    region, _, stamp = event.name.partition("_")
    if region not in REGIONS:
        raise EosfmError(
            f"{NAME}: {event} is of the unknown region {region!r}; {suggest(region, list(REGIONS))}"
        )
    tiles = require(event / "tiles", NAME, "vv, vh and flood_label folders")
    for vv in sorted(require(tiles / "vv", NAME, "<tile>_vv.png files").glob("*_vv.png")):
        tile = vv.name.removesuffix("_vv.png")
        vh = require(tiles / "vh" / f"{tile}_vh.png", NAME, "the VH image of that tile")
        flood = require(tiles / "flood_label" / f"{tile}.png", NAME, "the flood mask of that tile")
        if _is_gap(vv) or _is_gap(vh):
            continue
        height, width = png_size(flood)
        yield Scene(
            id=tile,
            split=REGIONS[region],
            height=height,
            width=width,
            files=(vv, vh, flood),
            image=partial(_image, vv, vh),
            target=partial(_target, flood),
            dates=(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}",),
        )


def _image(vv: Path, vh: Path, window: Window) -> np.ndarray:
    return np.stack([_grey(vv, window), _grey(vh, window)])[None]


def _target(flood: Path, window: Window) -> np.ndarray:
    return (_grey(flood, window) > 0).astype(np.uint8)


def _is_gap(path: Path) -> bool:
    if path.stat().st_size > GAP_BYTES:
        return False
    height, width = png_size(path)
    return bool(np.isin(_grey(path, Window(0, 0, height, width)), (0, 255)).all())


def _grey(path: Path, window: Window) -> np.ndarray:
    """A window of an image whose three channels, where it has three, are equal."""
    grey = read_png(path, window, mode="L")
    if grey.shape != (window.height, window.width):
        raise EosfmError(
            f"{path} does not cover {window}; expected the four files of a tile to be of one "
            "size; fetch the file again"
        )
    return grey


def _drive(file_id: str) -> str:
    """Address from which Google Drive serves a large file without asking first."""
    return f"https://drive.usercontent.google.com/download?id={file_id}&export=download&confirm=t"


DATASET = Dataset(
    name=NAME,
    title="ETCI 2021 Flood Detection",
    kind="segmentation",
    bands=("vv", "vh"),
    units=("dn8", "dn8"),
    dtype="uint8",
    classes=("no flood", "flood"),
    gsd=20.0,
    source=Source(
        homepage="https://nasa-impact.github.io/etci2021/",
        licence="not stated by its publisher (NASA IMPACT, IEEE GRSS)",
        citation=(
            "NASA IMPACT and IEEE GRSS Earth Science Informatics Technical Committee, "
            "ETCI 2021 Competition on Flood Detection, 2021; data set paper: arXiv 2311.09276"
        ),
        size_gb=3.9,
        archives=(
            Archive(
                url=_drive("14HqNW5uWLS92n7KrxKgDwUTsSEST6LCr"),
                filename="train.zip",
                checksum="md5:1e95792fe0f6e3c9000abdeab2a8ab0f",
            ),
            Archive(
                url=_drive("19sriKPHCZLfJn_Jmk3Z_0b3VaCBVRVyn"),
                filename="val_with_ref_labels.zip",
                checksum="md5:fd18cecb318efc69f8319f90c3771bdf",
            ),
        ),
    ),
    scenes=scenes,
    split_rule=(
        "by region: Bangladesh and Nebraska train, North Alabama validates, Florence "
        "(the contest's validation region) tests; Red River North has no labels"
    ),
)
"""Flood beyond the permanent water, from dual-polarised Sentinel-1 at 256 x 256 pixels."""
