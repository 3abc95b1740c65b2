"""CropTypeMapping South Sudan: crops of small fields in a year of Sentinel-1 and -2 at 10 m.

In the distribution of SustainBench (Yeh et al., NeurIPS 2021 Datasets and Benchmarks, arXiv
2111.04724). Chips of 64 x 64 pixels, few of which are labelled.

Every chip has its own number of acquisitions, clouds included. Six optical ones are taken, evenly
spread from the first to the last, and with each the radar acquisition of the nearest day.
(PANGAEA, arXiv 2412.04204, takes the last six of either sensor, which miss the growing season.)
A chip that has fewer is filled up with dates that were not measured and bear its last date.
"""

import json
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.native.listing import expecting, read_rows, read_text, require
from eosfm.datasets.native.series import Stack, parse_dates, read_array, stack_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import whole

NAME = "crop_type_south_sudan"
COUNTRY = "southsudan"
PARTITION = "list_eval_partition.csv"
DATES = 6
"""Acquisitions taken of every chip."""
S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
S1 = ("vv", "vh")
"""Gamma nought. The stacks hold VH / VV as a third channel: NaN where nothing was measured."""
CLASSES = ("sorghum", "maize", "rice", "groundnut")
UNLABELLED = -1


def scenes(root: Path) -> Iterator[Scene]:
    """Yield all chips; a pixel that a sensor did not measure is NaN in its bands.

    Chips whose archive broke off are all named at once: the published copy is known to have some.
    """
    folder = root / COUNTRY
    path = require(folder / PARTITION, "the columns id and partition")
    chips = _partition(path)
    files = {
        chip: [
            require(folder / kind / f"{COUNTRY}_{chip}.npz", f"an archive of chip {chip}")
            for kind in ("npy", "truth")
        ]
        for chip in chips
    }
    broken = [chip for chip, pair in files.items() if not all(map(zipfile.is_zipfile, pair))]
    if broken:
        raise EosfmError(
            f"{folder}: the archives of the chips {', '.join(broken)} in npy or truth are damaged; "
            f"fetch them again, or take their ids out of {path}"
        )
    for chip, (images, truth) in files.items():
        optical, radar = (_dates(folder, sensor, chip) for sensor in ("s2", "s1"))
        stacks = (
            Stack(images, optical, len(S2), len(S2), blank=0, member="s2"),
            Stack(images, radar, len(S1) + 1, len(S1), blank=0, member="s1"),
        )
        size = read_array(truth, (None, None), "truth").shape
        yield stack_scene(chip, chips[chip], size, stacks, DATES, truth, _crops)


def _partition(path: Path) -> dict[str, Split]:
    """Split by chip, in file order."""
    with expecting(path, "partition 0 (train), 1 (val) or 2 (test) of each id"):
        return {
            f"{int(row['id']):06d}": dict(enumerate(SPLITS))[int(row["partition"])]
            for row in read_rows(path, ("id", "partition"))
        }


def _dates(folder: Path, sensor: str, chip: str) -> list[date]:
    path = require(folder / sensor / f"{sensor}_{COUNTRY}_{chip}.json", "a list of dates")
    with expecting(path, "a list of dates"):
        return parse_dates(json.loads(read_text(path))["dates"], path)


def _crops(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Crops 1 to 4 are the classes; 0, no field, and the rarer crops beyond are not scored."""
    truth = read_array(path, size, "truth")
    crops = whole(truth, path, 0, 255, "numbers of crops from 0 (no field)", np.int16)
    return np.where((crops > 0) & (crops <= len(CLASSES)), crops - 1, UNLABELLED).astype(np.int16)


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
    reader=scenes,
)
"""Ten optical bands and VV, VH of six dates; sorghum, maize, rice and groundnut."""
