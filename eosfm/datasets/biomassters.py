"""BioMassters: forest biomass in Finland from a year of Sentinel-1 and Sentinel-2 at 10 m.

Nascetti et al., BioMassters: A Benchmark Dataset for Forest Biomass Estimation using Multi-modal
Satellite Time-series, NeurIPS Datasets and Benchmarks 2023, doi 10.57967/hf/1009.
"""

import csv
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import Header, read_bands, read_header
from eosfm.datasets.readers.holdout import rank
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "biomassters"
OPTICAL = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
RADAR = ("vv", "vh", "vv_desc", "vh_desc")
FILE_BANDS = {"S1": len(RADAR), "S2": len(OPTICAL) + 1}
"""Bands of a file; Sentinel-2's last is the cloud probability in per cent, which is left out."""
FOLDERS: dict[Split, str] = {"train": "train", "val": "train", "test": "test"}
"""What the folders of a split are called: <name>_features and <name>_agbm."""
METADATA = ("biomassters_features_metadata.csv", "The_BioMassters_-_features_metadata.csv.csv")
"""Names under which the same table is published."""
COLUMNS = ("chip_id", "filename", "satellite", "split", "month", "corresponding_agbm")
FILE_NAME = re.compile(r"(\w+)_(S[12])_(\d\d)\.tif")
MONTHS = (
    "September", "October", "November", "December", "January", "February", "March", "April", "May",
    "June", "July", "August",
)  # fmt: skip
DATES = tuple(f"{2020 + (place > 3)}-{(place + 8) % 12 + 1:02d}-15" for place in range(len(MONTHS)))
"""The dataset tells months, not years or days: the middle of each month of its last year."""
VALIDATE = 0.2
"""Share of the published training chips that validate."""
NO_RADAR = -9999.0


class Chip(NamedTuple):
    """One place: its files by satellite and month, 0 for September, and its biomass."""

    name: str
    split: Split
    features: dict[tuple[str, int], Path]
    biomass: Path


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the chips, twelve months each; what was not measured is NaN, whole months as well.

    Raises:
        EosfmError: The table or a file is missing, damaged or of another layout.
    """
    found = [root / name for name in METADATA if (root / name).exists()]
    path = found[0] if found else require(root / METADATA[0], NAME, "the table of all images")
    for chip in _chips(root, path):
        yield _scene(chip)


def _chips(root: Path, path: Path) -> Iterator[Chip]:
    """The chips of a table in its order."""
    chips: dict[str, Chip] = {}
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise EosfmError(
                f"{path} has no column {', '.join(missing)}; expected {', '.join(COLUMNS)}; fetch "
                "the file again"
            )
        for row in rows:
            name, folder = row["chip_id"], row["split"]
            match = FILE_NAME.fullmatch(row["filename"])
            if (
                match is None
                or match.groups()[:2] != (name, row["satellite"])
                or int(match[3]) >= len(MONTHS)
                or folder not in FOLDERS.values()
            ):
                raise EosfmError(
                    f"{path} lists {row['filename']!r} of chip {name!r}, split {folder!r}; "
                    "expected <chip>_S1_00.tif to <chip>_S2_11.tif of train or test; fetch the "
                    "file again"
                )
            if name not in chips:
                label = root / f"{folder}_agbm" / row["corresponding_agbm"]
                chips[name] = Chip(name, _split(folder, name), {}, label)
            image = root / f"{folder}_features" / row["filename"]
            chips[name].features[match[2], int(match[3])] = image
    yield from chips.values()


def _split(folder: str, chip: str) -> Split:
    if folder == FOLDERS["test"]:
        return "test"
    return "val" if rank(f"{NAME}/{chip}") < VALIDATE else "train"


def _scene(chip: Chip) -> Scene:
    for path in chip.features.values():
        require(path, NAME, f"an image of chip {chip.name}")
    label = require(chip.biomass, NAME, f"the biomass of chip {chip.name}")
    header: Header = read_header(label, 1, dtype=None)
    size = (header.height, header.width)
    return Scene(
        id=chip.name,
        split=chip.split,
        height=header.height,
        width=header.width,
        files=(*chip.features.values(), label),
        image=partial(_image, chip.features, size),
        target=partial(_target, label, size),
        dates=DATES,
    )


def _image(
    features: dict[tuple[str, int], Path], size: tuple[int, int], window: Window
) -> np.ndarray:
    shape = (len(MONTHS), len(OPTICAL) + len(RADAR), window.height, window.width)
    image = np.full(shape, np.nan, np.float32)
    for (satellite, month), path in features.items():
        pixels = read_bands(path, window, FILE_BANDS[satellite], size).astype(np.float32)
        if satellite == "S1":
            pixels[pixels == NO_RADAR] = np.nan
            image[month, len(OPTICAL) :] = pixels
        else:
            seen = pixels[: len(OPTICAL)]
            seen[:, (seen == 0).all(axis=0)] = np.nan
            image[month, : len(OPTICAL)] = seen
    return image


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    biomass = read_bands(path, window, 1, size)[0].astype(np.float32)
    if np.nanmin(biomass, initial=0) < 0:
        raise EosfmError(
            f"{path} has a biomass of {np.nanmin(biomass):g}; expected 0 or more tonnes per "
            "hectare; fetch the file again"
        )
    return biomass


DATASET = Dataset(
    name=NAME,
    title="BioMassters",
    kind="regression",
    bands=(*OPTICAL, *RADAR),
    units=("reflectance_1e4",) * len(OPTICAL) + ("db",) * len(RADAR),
    dtype="float32",
    classes=("above-ground biomass",),
    gsd=10.0,
    source=Source(
        homepage="https://huggingface.co/datasets/nascetti-a/BioMassters",
        licence="CC BY 4.0",
        citation="Nascetti, Yadav, Brodt, Qu, Fan, Shendryk, Shah, Chung, BioMassters: A Benchmark "
        "Dataset for Forest Biomass Estimation using Multi-modal Satellite Time-series, "
        "NeurIPS 2023, doi 10.57967/hf/1009",
        size_gb=200.0,
        manual=(
            "run `hf download nascetti-a/BioMassters --repo-type dataset --local-dir <folder>`, "
            "join the split archives with `zip -s 0 train_features.zip --out train.zip` (and "
            "test_features_splits.zip likewise), and unpack them and train_agbm.zip and "
            "test_agbm.tar so that <folder> holds the folders train_features, train_agbm, "
            f"test_features and test_agbm of TIFF files beside {METADATA[1]}"
        ),
    ),
    scenes=scenes,
    split_rule="official test chips; a fifth of the training chips validate, drawn by the chip's "
    "name (the dataset does not tell where a chip lies)",
    nodata=float("nan"),
    target_unit="t/ha",
)
"""Biomass at every pixel of 256 x 256, from twelve months; gaps are NaN."""
