"""PASTIS-R: crops of French parcels in a year of Sentinel-2 and Sentinel-1 images at 10 m.

2,433 patches of 128 x 128 pixels; the optical images are those of Sainte Fare Garnot and Landrieu,
ICCV 2021 (arXiv 2107.07933).

A patch has 38 to 61 optical acquisitions, clouds included. Six of them are taken, evenly spread
over the list from the first to the last as PANGAEA (arXiv 2412.04204) does, and with each the
ascending radar acquisition of the nearest day. (PANGAEA spreads six over either sensor's list by
itself, so that the days of a pair differ.)
"""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np

from eosfm.core.band_groups import BandGroup
from eosfm.core.splits import Split
from eosfm.datasets.native.archives import of_torchgeo
from eosfm.datasets.native.listing import expecting, read_text, require
from eosfm.datasets.native.series import Stack, parse_dates, read_array, stack_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import in_range

NAME = "pastis"
FOLDER = "PASTIS-R"
METADATA = "metadata.geojson"
DATES = 6
"""Acquisitions taken of every patch."""
S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
S1 = ("vv", "vh", "vv_vh")
"""The third channel of the radar files is the difference of the others, which says nothing new."""
CLASSES = (
    "background", "meadow", "soft winter wheat", "corn", "winter barley", "winter rapeseed",
    "spring barley", "sunflower", "grapevine", "beet", "winter triticale", "winter durum wheat",
    "fruits, vegetables, flowers", "potatoes", "leguminous fodder", "soybeans", "orchard",
    "mixed cereal", "sorghum", "void",
)  # fmt: skip
VOID = CLASSES.index("void")
FOLDS: dict[int, Split] = {1: "train", 2: "train", 3: "train", 4: "val", 5: "test"}
UNMEASURED = -10000
"""Value of the optical bands where a patch reaches beyond the satellite's swath."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield all patches; pixels that Sentinel-2 did not measure become NaN in its bands."""
    folder = root / FOLDER
    path = require(folder / METADATA, "the metadata of all patches")
    with expecting(path, "ID_PATCH, Fold 1 to 5, dates-S2 and dates-S1A of every patch"):
        patches = [feature["properties"] for feature in json.loads(read_text(path))["features"]]
        facts = [
            (str(patch["ID_PATCH"]), FOLDS[int(patch["Fold"])], _days(patch, "S2", path),
             _days(patch, "S1A", path))
            for patch in patches
        ]  # fmt: skip
    for patch, split, optical, radar in facts:
        s2, s1, target = (
            require(folder / kind / f"{name}_{patch}.npy", f"a file of patch {patch}")
            for kind, name in (("DATA_S2", "S2"), ("DATA_S1A", "S1A"), ("ANNOTATIONS", "TARGET"))
        )
        stacks = (
            Stack(s2, optical, len(S2), len(S2), blank=UNMEASURED),
            Stack(s1, radar, len(S1), len(S1)),
        )
        size = read_array(target, (3, None, None)).shape[1:]
        yield stack_scene(patch, split, size, stacks, DATES, target, _classes)


def _days(patch: dict, sensor: str, path: Path) -> list[date]:
    """Dates from a table of which position has which date."""
    table = patch[f"dates-{sensor}"]
    return parse_dates([table[str(index)] for index in range(len(table))], path)


def _classes(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The first of three layers is the class; the other two are what it was drawn from."""
    classes = read_array(path, (3, *size))[0]
    return in_range(classes, path, 0, VOID, f"classes 0 to {VOID}")


DATASET = Dataset(
    name=NAME,
    title="PASTIS-R",
    kind="segmentation",
    bands=(*S2, *S1),
    units=("reflectance_1e4",) * len(S2) + ("db",) * len(S1),
    dtype="float32",
    groups=(BandGroup(S2, "int16", nodata=UNMEASURED), BandGroup(S1, "float32")),
    classes=CLASSES,
    gsd=10.0,
    ignore_index=VOID,
    nodata=float("nan"),
    split_rule="the official five folds as PANGAEA uses them: 1 to 3 train, 4 validates, 5 tests",
    source=Source(
        homepage="https://github.com/VSainteuf/pastis-benchmark",
        licence="Etalab Open Licence 2.0",
        commercial=True,
        citation="Sainte Fare Garnot, Landrieu, Chehata: Multi-modal temporal attention models for "
        "crop mapping from satellite time series, ISPRS Journal 2022, arXiv 2112.07558",
        size_gb=54.0,
        archives=of_torchgeo("PASTIS"),
    ),
    reader=scenes,
    published={"train val test": 2_433},
)
"""Ten optical bands, VV, VH and their difference of six dates; 18 crops, background, and void."""
