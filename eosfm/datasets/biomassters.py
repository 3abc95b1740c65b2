"""BioMassters: forest biomass in Finland from a year of Sentinel-1 and Sentinel-2 at 10 m."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.band_groups import BandGroup
from eosfm.core.splits import Split
from eosfm.datasets.native.holdout import divide
from eosfm.datasets.native.listing import parse, read_rows, require
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import blank_as_nan, in_range

NAME = "biomassters"
OPTICAL = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
RADAR = ("vv", "vh", "vv_desc", "vh_desc")
FOLDERS: dict[Split, str] = {"train": "train", "val": "train", "test": "test"}
"""What the folders of a split are called: <name>_features and <name>_agbm."""
METADATA = ("biomassters_features_metadata.csv", "The_BioMassters_-_features_metadata.csv.csv")
"""Names under which the same table is published."""
COLUMNS = ("chip_id", "filename", "satellite", "split", "month", "corresponding_agbm")
MONTHS = (
    "September", "October", "November", "December", "January", "February", "March", "April", "May",
    "June", "July", "August",
)  # fmt: skip
DATES = tuple(f"{2020 + (place > 3)}-{(place + 8) % 12 + 1:02d}-15" for place in range(len(MONTHS)))
"""The dataset tells months, not years or days: the middle of each month of its last year."""
split_of = partial(divide, NAME, "test", 0.2)
"""The split of a chip of one of the published folders."""
NO_RADAR = -9999.0


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the chips, twelve months each; what was not measured is NaN, whole months as well."""
    found = [root / name for name in METADATA if (root / name).exists()]
    table = found[0] if found else require(root / METADATA[0], "the table of all images")
    chips: dict[tuple[str, str, str], dict[str, Path]] = defaultdict(dict)
    pattern = r"(train|test)/(\w+),\2_(S[12]_(?:0\d|1[01]))\.tif"
    expected = "<split>/<chip>,<chip>_S1_00.tif to <chip>_S2_11.tif"
    for row in read_rows(table, COLUMNS):
        name = f"{row['split']}/{row['chip_id']},{row['filename']}"
        folder, chip, month = parse(pattern, name, table, expected).groups()
        files = chips[folder, chip, row["corresponding_agbm"]]
        files[month] = root / f"{folder}_features" / row["filename"]
    for (folder, chip, biomass), files in chips.items():
        image = [
            Part(files.get(f"{satellite}_{month:02d}"), bands, prepare)
            for month in range(len(MONTHS))
            for satellite, bands, prepare in (
                # The last optical band is the cloud probability in per cent, which is left out.
                ("S2", len(OPTICAL) + 1, _optical), ("S1", len(RADAR), _radar),
            )
        ]  # fmt: skip
        label = root / f"{folder}_agbm" / biomass
        target = Part(label, prepare=_biomass)
        scene = raster_scene(chip, split_of(folder, chip), image, target, grid=target, dates=DATES)
        yield replace(scene, files=(*files.values(), label))


def _optical(pixels: np.ndarray, path: Path) -> np.ndarray:
    return blank_as_nan(pixels[: len(OPTICAL)], 0)


def _radar(pixels: np.ndarray, path: Path) -> np.ndarray:
    return np.where(pixels == NO_RADAR, np.float32(np.nan), pixels.astype(np.float32))


def _biomass(pixels: np.ndarray, path: Path) -> np.ndarray:
    return in_range(pixels.astype(np.float32), path, 0, np.inf, "tonnes per hectare, 0 or more")


DATASET = Dataset(
    name=NAME,
    title="BioMassters",
    kind="regression",
    bands=(*OPTICAL, *RADAR),
    units=("reflectance_1e4",) * len(OPTICAL) + ("db",) * len(RADAR),
    dtype="float32",
    groups=(BandGroup(OPTICAL, "uint16", nodata=0), BandGroup(RADAR, "float32")),
    classes=("above-ground biomass",),
    gsd=10.0,
    source=Source(
        homepage="https://huggingface.co/datasets/nascetti-a/BioMassters",
        licence="CC BY 4.0",
        commercial=True,
        citation="Nascetti, Yadav, Brodt, Qu, Fan, Shendryk, Shah, Chung, BioMassters: A Benchmark "
        "Dataset for Forest Biomass Estimation using Multi-modal Satellite Time-series, "
        "NeurIPS 2023, doi 10.57967/hf/1009",
        size_gb=291.0,  # 215.9, 73.0 and 2.1, by its page at Hugging Face
        manual=(
            "run `hf download nascetti-a/BioMassters --repo-type dataset --local-dir <folder>`, "
            "join the split archives with `zip -s 0 train_features.zip --out train.zip` (and "
            "test_features_splits.zip likewise), and unpack them and train_agbm.zip and "
            "test_agbm.tar so that <folder> holds the folders train_features, train_agbm, "
            f"test_features and test_agbm of TIFF files beside {METADATA[1]}"
        ),
    ),
    reader=scenes,
    published={"train val": 8_689, "test": 2_773},
    split_rule="official test chips; a fifth of the training chips validate, drawn by the chip's "
    "name (the dataset does not tell where a chip lies)",
    nodata=float("nan"),
    target_unit="t/ha",
)
"""Biomass at every pixel of 256 x 256, from twelve months; gaps are NaN."""
