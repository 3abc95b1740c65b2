"""CropTypeMapping South Sudan: crops of small fields in a year of Sentinel-1 and -2 at 10 m.

Rustowicz et al., CVPR Workshops 2019, in the distribution of SustainBench (Yeh et al., NeurIPS
2021 Datasets and Benchmarks, arXiv 2111.04724). Chips of 64 x 64 pixels, few of which are labelled.

Every chip has its own number of acquisitions, clouds included. Six optical ones are taken, evenly
spread from the first to the last, and with each the radar acquisition of the nearest day.
(PANGAEA, arXiv 2412.04204, takes the last six of either sensor, which miss the growing season.)
A chip that has fewer is filled up with dates that were not measured and bear its last date.
"""

import csv
import json
import zipfile
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.series import evenly, nearest, pad_dates, parse_dates, read_array
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "crop_type_south_sudan"
COUNTRY = "southsudan"
PARTITION = "list_eval_partition.csv"
DATES = 6
"""Acquisitions taken of every chip."""
S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
S1 = ("vv", "vh")
"""The radar stacks hold the ratio of both as a third channel, which says nothing new."""
CLASSES = ("sorghum", "maize", "rice", "groundnut")
UNLABELLED = -1
PARTITIONS = dict(enumerate(SPLITS))


class Series(NamedTuple):
    """One sensor's acquisitions of a chip.

    Attributes:
        name: Its array in the chip's archive.
        channels: Channels that the array has.
        length: Acquisitions that it has.
        taken: Positions of those that are read, in order.
    """

    name: str
    channels: int
    length: int
    taken: list[int]


def scenes(root: Path) -> Iterator[Scene]:
    """Yield all chips; a pixel that a sensor did not measure is NaN in its bands.

    Raises:
        EosfmError: A file is missing, damaged or of another layout. Chips whose archive broke off
            are all named at once: the published copy is known to have some.
    """
    folder = root / COUNTRY
    path = require(folder / PARTITION, NAME, "the columns id and partition")
    chips = _partition(path)
    files = {
        chip: (
            require(folder / "npy" / f"{COUNTRY}_{chip}.npz", NAME, f"the images of chip {chip}"),
            require(folder / "truth" / f"{COUNTRY}_{chip}.npz", NAME, f"the crops of chip {chip}"),
        )
        for chip in chips
    }
    broken = [chip for chip, pair in files.items() if not all(map(zipfile.is_zipfile, pair))]
    if broken:
        raise EosfmError(
            f"{folder}: the archives of the chips {', '.join(broken)} in npy or truth are damaged; "
            f"fetch them again, or take their ids out of {path}"
        )
    for chip, split in chips.items():
        yield _scene(folder, chip, split, *files[chip])


def _partition(path: Path) -> dict[str, Split]:
    """Split by chip, in file order."""
    try:
        with path.open(newline="") as rows:
            return {
                f"{int(row['id']):06d}": PARTITIONS[int(row["partition"])]
                for row in csv.DictReader(rows)
            }
    except (ValueError, KeyError, TypeError) as error:
        raise EosfmError(
            f"{path} is not the partition ({error!r}); expected the columns id and partition, "
            "0 (train), 1 (val) or 2 (test); fetch the file again"
        ) from None


def _scene(folder: Path, chip: str, split: Split, images: Path, truth: Path) -> Scene:
    optical, radar = (_dates(folder, sensor, chip) for sensor in ("s2", "s1"))
    height, width = read_array(truth, (None, None), "truth").shape
    order = sorted(range(len(optical)), key=optical.__getitem__)
    taken = [order[place] for place in evenly(len(optical), DATES)]
    days = [optical[place] for place in taken]
    series = (
        Series("s2", len(S2), len(optical), taken),
        Series("s1", len(S1) + 1, len(radar), nearest(radar, days)),
    )
    return Scene(
        id=chip,
        split=split,
        height=height,
        width=width,
        files=(images, truth),
        image=partial(_image, images, series, (height, width)),
        target=partial(_target, truth, (height, width)),
        dates=tuple(str(day) for day in [*days, *days[-1:] * (DATES - len(days))]),
    )


def _dates(folder: Path, sensor: str, chip: str) -> list[date]:
    path = require(
        folder / sensor / f"{sensor}_{COUNTRY}_{chip}.json", NAME, f"the dates of chip {chip}"
    )
    try:
        return parse_dates(json.loads(path.read_text())["dates"], path)
    except (ValueError, KeyError, TypeError) as error:
        raise EosfmError(
            f"{path} is not a list of dates ({error!r}); fetch the file again"
        ) from None


def _image(
    path: Path, series: tuple[Series, Series], size: tuple[int, int], window: Window
) -> np.ndarray:
    optical, radar = (_read(path, sensor, size, window) for sensor in series)
    return pad_dates(np.concatenate([optical, radar[:, : len(S1)]], axis=1), DATES)


def _read(path: Path, sensor: Series, size: tuple[int, int], window: Window) -> np.ndarray:
    """(T, C, h, w) float32; what is 0 in all of a sensor's bands was not measured."""
    stack = read_array(path, (sensor.channels, *size, sensor.length), sensor.name)
    rows = slice(window.row, window.row + window.height)
    cols = slice(window.col, window.col + window.width)
    image = np.moveaxis(stack[:, rows, cols][..., sensor.taken], -1, 0).astype(np.float32)
    return np.where((image == 0).all(axis=1, keepdims=True), np.float32(np.nan), image)


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    """Crops 1 to 4 are the classes; 0, no field, and the rarer crops beyond are not scored."""
    truth = read_array(path, size, "truth")
    crops = truth.astype(np.int16)
    if (crops != truth).any() or crops.min(initial=0) < 0:
        raise EosfmError(
            f"{path} holds {truth.dtype} from {truth.min()}; expected whole numbers from 0 (no "
            "field); fetch the file again"
        )
    crops = np.where((crops > 0) & (crops <= len(CLASSES)), crops - 1, UNLABELLED)
    rows = slice(window.row, window.row + window.height)
    return crops[rows, window.col : window.col + window.width].astype(np.int16)


DATASET = Dataset(
    name=NAME,
    title="CropTypeMapping South Sudan (SustainBench)",
    kind="segmentation",
    bands=(*S2, *S1),
    units=("reflectance_1e4",) * len(S2) + ("db",) * len(S1),
    dtype="float32",
    classes=CLASSES,
    gsd=10.0,
    ignore_index=UNLABELLED,
    nodata=float("nan"),
    split_rule="official partition of chips: 0 trains, 1 validates, 2 tests",
    source=Source(
        homepage="https://sustainlab-group.github.io/sustainbench/docs/datasets/sdg2/"
        "crop_type_mapping_ghana-ss.html",
        licence="Sentinel images free to use; labels and Planet images as their publisher states",
        citation="Rustowicz, Cheong, Wang, Ermon, Burke, Lobell: Semantic segmentation of crop "
        "type in Africa, CVPR Workshops 2019; doi 10.34911/rdnt.v6kx6n",
        size_gb=20.0,  # a guess from the arrays' shapes: none is published
        manual=(
            "download archive.tar.gz from SustainBench's folder "
            "https://drive.google.com/drive/folders/1WhVObtFOzYFiXBsbbrEGy1DUtv7ov7wF and unpack "
            f"it: the folder africa_crop_type_mapping_v1.0 holds {COUNTRY}"
        ),
    ),
    scenes=scenes,
)
"""Ten optical bands and VV, VH of six dates; sorghum, maize, rice and groundnut."""
