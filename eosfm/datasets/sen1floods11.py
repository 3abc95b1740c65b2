"""Sen1Floods11: water in hand-labelled Sentinel-1 and Sentinel-2 chips of eleven flood events.

Bonafilia et al., Sen1Floods11, CVPR Workshops 2020.
"""

import csv
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "sen1floods11"
CHIPS = Path("v1.1/data/flood_events/HandLabeled")
SPLIT_FILES: dict[Split, Path] = {
    "train": Path("v1.1/splits/flood_handlabeled/flood_train_data.csv"),
    "val": Path("v1.1/splits/flood_handlabeled/flood_valid_data.csv"),
    "test": Path("v1.1/splits/flood_handlabeled/flood_test_data.csv"),
}
METADATA = Path("v1.1/Sen1Floods11_Metadata.geojson")
LOCATIONS = {"Mekong": "Cambodia"}
"""Events whose chips bear another name than the metadata give."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the hand-labelled chips of the three official split files.

    The fourth file, the held-out country Bolivia, is a test of its own and is left out. Pixels that
    Sentinel-2 did not measure (0 in all its bands) become NaN, as Sentinel-1's are.

    Raises:
        EosfmError: A split file or a chip's file is missing, damaged or of another layout.
    """
    dates = _dates(root / METADATA)
    for split, file in SPLIT_FILES.items():
        path = require(root / file, NAME, "rows of <chip>_S1Hand.tif,<chip>_LabelHand.tif")
        with path.open(newline="") as rows:
            for row in csv.reader(rows):
                yield _scene(root / CHIPS, split, _chip(path, row), dates)


def _chip(path: Path, row: list[str]) -> str:
    """The chip that a row of a split file names."""
    chip = row[0].removesuffix("_S1Hand.tif") if row else ""
    if row != [f"{chip}_S1Hand.tif", f"{chip}_LabelHand.tif"]:
        raise EosfmError(
            f"{path} has the row {','.join(row)!r}; expected <chip>_S1Hand.tif,"
            "<chip>_LabelHand.tif; fetch the file again"
        )
    return chip


def _scene(chips: Path, split: Split, chip: str, dates: dict[str, str]) -> Scene:
    s1, s2, label = (
        require(chips / layer / f"{chip}_{layer}.tif", NAME, f"the chip that {split} lists")
        for layer in ("S1Hand", "S2Hand", "LabelHand")
    )
    header = read_header(label, 1, "int16")
    size = (header.height, header.width)
    event = chip.split("_")[0]
    date = dates.get(LOCATIONS.get(event, event))
    return Scene(
        id=chip,
        split=split,
        height=header.height,
        width=header.width,
        files=(s2, s1, label),
        image=partial(_image, s2, s1, size),
        target=partial(_target, label, size),
        crs=header.crs,
        transform=header.transform,
        dates=(date,) if date else (),
    )


def _image(s2: Path, s1: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    optical = read_bands(s2, window, len(S2_BANDS), size).astype(np.float32)
    optical[:, (optical == 0).all(axis=0)] = np.nan
    return np.concatenate([optical, read_bands(s1, window, 2, size)], dtype=np.float32)[None]


def _target(label: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    target = read_bands(label, window, 1, size)[0]
    if target.min() < -1 or target.max() > 1:
        raise EosfmError(
            f"{label} has labels from {target.min()} to {target.max()}; expected -1 (unknown), "
            "0 (no water), 1 (water); use the LabelHand files of v1.1"
        )
    return target


def _dates(path: Path) -> dict[str, str]:
    """Sentinel-2's date by location; empty where the copy has no metadata file."""
    if not path.exists():
        return {}
    try:
        events = [feature["properties"] for feature in json.loads(path.read_text())["features"]]
        return {event["location"]: event["s2_date"].replace("/", "-") for event in events}
    except (ValueError, KeyError, TypeError) as error:
        raise EosfmError(
            f"{path} is not the event metadata ({error!r}); fetch the file again"
        ) from None


DATASET = Dataset(
    name=NAME,
    title="Sen1Floods11 (hand-labelled)",
    kind="segmentation",
    bands=(*S2_BANDS, "vv", "vh"),
    units=("reflectance_1e4",) * len(S2_BANDS) + ("db", "db"),
    dtype="float32",
    classes=("no water", "water"),
    gsd=10.0,
    source=Source(
        homepage="https://github.com/cloudtostreet/Sen1Floods11",
        licence="not stated by its publisher (Cloud to Street); free to use with citation",
        citation=(
            "Bonafilia, Tellman, Anderson, Issenberg, Sen1Floods11: a georeferenced dataset to "
            "train and test deep learning flood algorithms for Sentinel-1, CVPR Workshops 2020"
        ),
        size_gb=14.0,
        manual=(
            "copy the public bucket with Google's command line, `gsutil -m rsync -r "
            "gs://sen1floods11/v1.1 <folder>/v1.1` (the folders data/flood_events/HandLabeled and "
            "splits/flood_handlabeled and the file Sen1Floods11_Metadata.geojson are enough)"
        ),
    ),
    scenes=scenes,
    split_rule="official train, valid and test files; the held-out Bolivia file is left out",
    ignore_index=-1,
    nodata=float("nan"),
)
"""Water against land, unknown (-1) under cloud, at 512 x 512 pixels."""
