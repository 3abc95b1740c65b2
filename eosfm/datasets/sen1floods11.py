"""Sen1Floods11: water in hand-labelled Sentinel-1 and Sentinel-2 chips of eleven flood events."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.core.splits import Split
from eosfm.datasets.native.listing import expecting, read_lists, read_text
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import blank_as_nan, numbers

NAME = "sen1floods11"
CHIPS = Path("v1.1/data/flood_events/HandLabeled")
LISTS = Path("v1.1/splits/flood_handlabeled")
SPLIT_FILES: dict[Split, Path] = {
    "train": LISTS / "flood_train_data.csv",
    "val": LISTS / "flood_valid_data.csv",
    "test": LISTS / "flood_test_data.csv",
}
METADATA = Path("v1.1/Sen1Floods11_Metadata.geojson")
LOCATIONS = {"Mekong": "Cambodia"}
"""Events whose chips bear another name than the metadata give."""
WATER = numbers(-1, 1, "-1 (unknown), 0 (no water), 1 (water) as in v1.1", np.int16)


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the hand-labelled chips of the three official split files.

    The fourth file, the held-out country Bolivia, is a test of its own and is left out. Pixels that
    Sentinel-2 did not measure (0 in all its bands) become NaN, as Sentinel-1's are.
    """
    dates = _dates(root / METADATA)
    lists = {split: root / file for split, file in SPLIT_FILES.items()}
    expected = "rows <chip>_S1Hand.tif,<chip>_LabelHand.tif"
    for split, row in read_lists(lists, r"(.+)_S1Hand\.tif,\1_LabelHand\.tif", expected):
        chip = row[1]
        s2, s1, label = (
            root / CHIPS / layer / f"{chip}_{layer}.tif"
            for layer in ("S2Hand", "S1Hand", "LabelHand")
        )
        image = [Part(s2, len(S2_BANDS), _optical), Part(s1, 2)]
        target = Part(label, prepare=WATER, dtype="int16")
        event = chip.split("_")[0]
        date = dates.get(LOCATIONS.get(event, event))
        seen = [date] if date else []
        yield raster_scene(chip, split, image, target, grid=target, dates=seen)


def _optical(pixels: np.ndarray, path: Path) -> np.ndarray:
    return blank_as_nan(pixels, 0)


def _dates(path: Path) -> dict[str, str]:
    """Sentinel-2's date by location; empty where the copy has no metadata file."""
    if not path.exists():
        return {}
    with expecting(path, "the location and s2_date of every event"):
        events = [feature["properties"] for feature in json.loads(read_text(path))["features"]]
        return {event["location"]: event["s2_date"].replace("/", "-") for event in events}


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
            "copy the public bucket with Google's command line, `mkdir -p <folder>/v1.1 && "
            "gsutil -m rsync -r gs://sen1floods11/v1.1 <folder>/v1.1` (the folders "
            "data/flood_events/HandLabeled and splits/flood_handlabeled and the file "
            "Sen1Floods11_Metadata.geojson are enough)"
        ),
    ),
    reader=scenes,
    published={"train": 252, "val": 89, "test": 90},
    split_rule="official train, valid and test files; the held-out Bolivia file is left out",
    ignore_index=-1,
    nodata=float("nan"),
)
"""Water against land, unknown (-1) under cloud, at 512 x 512 pixels."""
