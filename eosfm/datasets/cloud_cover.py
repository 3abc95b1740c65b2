"""Cloud Cover Detection Challenge: clouds in Sentinel-2 chips of 512 pixels, four bands at 10 m."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from eosfm.datasets.native.archives import hidden
from eosfm.datasets.native.holdout import divide
from eosfm.datasets.native.listing import read_rows, require
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import numbers

NAME = "cloud_cover"
BANDS = ("B02", "B03", "B04", "B08")
FOLDERS = {"train": "public", "test": "private"}
"""Parts of the challenge, and their publisher's folders, which torchgeo 0.8 names as the parts."""
COLUMNS = ("chip_id", "location", "datetime")
split_of = partial(divide, NAME, "test", 0.1)
"""The split of a place whose chips are in one of the published folders."""
CLOUDS = numbers(0, 1, "0 (clear) and 1 (cloud)")


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the chips that the two metadata tables list."""
    for name in FOLDERS:
        tables = _tables(root, name)
        table = next((table for table in tables if table.exists()), tables[0])
        folder = require(table, f"the table of the {name} chips").parent
        for row in read_rows(table, COLUMNS):
            chip = row["chip_id"]
            features = folder / f"{name}_features" / chip
            image = [Part(features / f"{band}.tif", dtype="uint16") for band in BANDS]
            label = Part(folder / f"{name}_labels" / f"{chip}.tif", prepare=CLOUDS)
            split, day = split_of(name, row["location"]), row["datetime"][:10]
            yield raster_scene(chip, split, image, label, dates=[day])


def _tables(root: Path, name: str) -> list[Path]:
    """Where the table of a part may be."""
    return [root / folder / f"{name}_metadata.csv" for folder in (name, FOLDERS[name])]


def download(root: Path) -> None:
    """Copy the chips with Microsoft's AzCopy."""
    from torchgeo.datasets import CloudCoverDetection

    for name in FOLDERS:
        # Torchgeo takes the table for proof that all is there; AzCopy goes on where it stopped.
        with hidden(*_tables(root, name)):
            CloudCoverDetection(root, split=name, download=True)


DATASET = Dataset(
    name=NAME,
    title="Sentinel-2 Cloud Cover Detection Challenge",
    kind="segmentation",
    bands=BANDS,
    units=("reflectance_1e4",) * len(BANDS),
    dtype="uint16",
    classes=("clear", "cloud"),
    gsd=10.0,
    split_rule="the challenge's test chips test; of its training chips those of about one location "
    "in ten, by the hash of the location's name, validate",
    source=Source(
        homepage="https://source.coop/radiantearth/cloud-cover-detection-challenge",
        licence="CC BY 4.0",
        commercial=True,
        citation="Radiant Earth Foundation: Sentinel-2 cloud cover segmentation dataset (version "
        "1), 2022, doi 10.34911/rdnt.hfq6m7",
        size_gb=50.0,
        download=download,
    ),
    reader=scenes,
    published={"train val": 11_748, "test": 10_980},
)
"""Bottom-of-atmosphere reflectance of 2018 to 2020 and masks drawn by people."""
