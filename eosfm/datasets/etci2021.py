"""ETCI 2021: flooded areas in Sentinel-1 tiles of 256 x 256 pixels from four labelled events."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eosfm.core.splits import Split
from eosfm.datasets.native.archives import of_torchgeo
from eosfm.datasets.native.listing import folders, matching, one_of, pair_all, require
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import presence

NAME = "etci2021"
REGIONS: dict[str, Split] = {
    "bangladesh": "train", "nebraska": "train", "northal": "val", "florence": "test",
}  # fmt: skip
"""The labelled regions. Red River North (``test_internal``) has no flood labels."""
GAP_BYTES = 8192
"""A tile with any speckle in it takes more than this; smaller ones are looked into."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every labelled tile; those that lie in a swath gap are left out."""
    for name in ("train", "test"):
        folder = require(root / name, "event folders such as bangladesh_20170314t115609")
        for event in folders(folder):
            yield from _tiles(event)


def _tiles(event: Path) -> Iterator[Scene]:
    region, _, stamp = event.name.partition("_")
    one_of(region, list(REGIONS), "region", event)
    folder = event / "tiles"
    date = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"
    files = matching(require(folder / "vv", "<tile>_vv.png files"), "*_vv.png")
    tiles = {file.name.removesuffix("_vv.png"): file for file in files}
    pair_all(tiles, matching(folder / "vh", "*_vh.png"), "_vh.png")
    for tile, vv in tiles.items():
        image = [Part(file, dtype="uint8") for file in (vv, folder / "vh" / f"{tile}_vh.png")]
        flood = Part(folder / "flood_label" / f"{tile}.png", prepare=presence)
        scene = raster_scene(tile, REGIONS[region], image, flood, dates=[date])
        if not any(map(_is_gap, image)):
            yield scene


def _is_gap(image: Part) -> bool:
    """Whether an image holds nothing but 0 and 255."""
    if image.file.stat().st_size > GAP_BYTES:
        return False
    return bool(np.isin(image.read_all(), (0, 255)).all())


DATASET = Dataset(
    name=NAME,
    title="ETCI 2021 Flood Detection",
    kind="segmentation",
    bands=("vv", "vh"),
    units=("dn8", "dn8"),
    dtype="uint8",
    classes=("no flood", "flood"),
    # Its 54 scenes give 56,153 tiles: 27,000 km2 a scene at 20 m, less than a Sentinel-1 frame has
    # (42,000 and more); at 30 m, which is what HyP3 makes by default, 61,000, its bounding box.
    gsd=30.0,
    split_rule="by region: Bangladesh and Nebraska train, North Alabama validates, Florence (the "
    "contest's validation region) tests; Red River North has no labels",
    source=Source(
        homepage="https://nasa-impact.github.io/etci2021/",
        licence="not stated by its publisher (NASA IMPACT, IEEE GRSS)",
        citation="NASA IMPACT and IEEE GRSS Earth Science Informatics Technical Committee, ETCI "
        "2021 Competition on Flood Detection, 2021; data set paper: arXiv 2311.09276",
        size_gb=3.9,
        archives=of_torchgeo("ETCI2021", "train", "val"),
    ),
    reader=scenes,
)
