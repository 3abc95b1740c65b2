"""Cloud Cover Detection Challenge: clouds in Sentinel-2 chips of 512 pixels, four bands at 10 m.

Radiant Earth Foundation 2022, doi 10.34911/rdnt.hfq6m7.
"""

import csv
import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import Header, read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "cloud_cover"
BANDS = ("B02", "B03", "B04", "B08")
FOLDERS = ("train", "test")
COLUMNS = ("chip_id", "location", "datetime")
HELD_OUT = 0.1
"""Share of the training locations to validate on."""


def held_out(location: str) -> bool:
    """Whether a training location validates: about one in ten, by the hash of its name."""
    digest = hashlib.sha256(f"{NAME}/{location}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < HELD_OUT


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the chips that the two metadata tables list.

    Raises:
        EosfmError: A table or a chip's file is missing, damaged or of another layout.
    """
    for folder in FOLDERS:
        table = root / folder / f"{folder}_metadata.csv"
        require(table, NAME, f"the table of the {folder} chips")
        with table.open(newline="") as rows:
            reader = csv.DictReader(rows)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise EosfmError(
                    f"{table} has the columns {', '.join(reader.fieldnames or ())}; expected "
                    f"{', '.join(COLUMNS)}; fetch the file again"
                )
            for row in reader:
                yield _scene(root / folder, folder, row)


def _scene(folder: Path, name: str, row: dict[str, str]) -> Scene:
    chip = row["chip_id"]
    label = require(
        folder / f"{name}_labels" / f"{chip}.tif", NAME, "the cloud mask of a chip in the table"
    )
    bands = tuple(
        require(folder / f"{name}_features" / chip / f"{band}.tif", NAME, "a band of the chip")
        for band in BANDS
    )
    header = read_header(bands[0], 1, "uint16")
    split: Split = "test" if name == "test" else "val" if held_out(row["location"]) else "train"
    return Scene(
        id=chip,
        split=split,
        height=header.height,
        width=header.width,
        files=(*bands, label),
        image=partial(_image, bands, header),
        target=partial(_clouds, label, header),
        crs=header.crs,
        transform=header.transform,
        dates=(row["datetime"][:10],),
    )


def _image(files: tuple[Path, ...], header: Header, window: Window) -> np.ndarray:
    size = (header.height, header.width)
    return np.concatenate([read_bands(file, window, 1, size) for file in files])[np.newaxis]


def _clouds(path: Path, header: Header, window: Window) -> np.ndarray:
    clouds = read_bands(path, window, 1, (header.height, header.width))[0]
    if clouds.max(initial=0) > 1:
        raise EosfmError(
            f"{path} holds the value {clouds.max()}; expected 0 (clear) and 1 (cloud); fetch the "
            "file again"
        )
    return clouds.astype(np.uint8)


_BUCKET = "https://radiantearth.blob.core.windows.net/mlhub/ref_cloud_cover_detection_challenge_v1"

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
        citation="Radiant Earth Foundation: Sentinel-2 cloud cover segmentation dataset (version "
        "1), 2022, doi 10.34911/rdnt.hfq6m7",
        size_gb=50.0,
        manual=(
            "copy the public folders with Microsoft's AzCopy, `azcopy sync "
            f"{_BUCKET}/final/public <folder>/train --recursive=true` and the same with "
            "final/private to <folder>/test"
        ),
    ),
    scenes=scenes,
)
"""Bottom-of-atmosphere reflectance of 2018 to 2020 and masks drawn by people."""
