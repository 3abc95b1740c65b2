"""PASTIS-R: crops of French parcels in a year of Sentinel-2 and Sentinel-1 images at 10 m.

Sainte Fare Garnot and Landrieu, ICCV 2021 (arXiv 2107.07933); with radar: Sainte Fare Garnot,
Landrieu and Chehata, ISPRS Journal 2022 (arXiv 2112.07558). 2,433 patches of 128 x 128 pixels.

A patch has 38 to 61 optical acquisitions, clouds included. Six of them are taken, evenly spread
over the list from the first to the last as PANGAEA (arXiv 2412.04204) does, and with each the
ascending radar acquisition of the nearest day. (PANGAEA spreads six over either sensor's list by
itself, so that the days of a pair differ.)
"""

import json
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.series import evenly, nearest, pad_dates, parse_dates, read_array
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

NAME = "pastis"
FOLDER = "PASTIS-R"
METADATA = "metadata.geojson"
DATES = 6
"""Acquisitions taken of every patch."""
S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
S1 = ("vv", "vh")
"""The radar files hold the ratio of both as a third channel, which says nothing new."""
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
    """Yield all patches; pixels that Sentinel-2 did not measure become NaN in its bands.

    Raises:
        EosfmError: The metadata or a patch's file is missing, damaged or of another layout.
    """
    path = require(root / FOLDER / METADATA, NAME, "the metadata of all patches")
    try:
        patches = [feature["properties"] for feature in json.loads(path.read_text())["features"]]
        facts = [
            (str(patch["ID_PATCH"]), FOLDS[int(patch["Fold"])], _in_order(patch["dates-S2"]),
             _in_order(patch["dates-S1A"]))
            for patch in patches
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EosfmError(
            f"{path} is not the patches' metadata ({error!r}); expected ID_PATCH, Fold 1 to 5, "
            "dates-S2 and dates-S1A of every patch; fetch the file again"
        ) from None
    for patch, split, optical, radar in facts:
        yield _scene(path, patch, split, parse_dates(optical, path), parse_dates(radar, path))


def _in_order(table: dict[str, Any]) -> list[Any]:
    """The values of a table of which position has which date."""
    return [table[str(place)] for place in range(len(table))]


def _scene(path: Path, patch: str, split: Split, optical: list[date], radar: list[date]) -> Scene:
    s2, s1, target = (
        require(path.parent / folder / f"{kind}_{patch}.npy", NAME, f"a file of patch {patch}")
        for folder, kind in (("DATA_S2", "S2"), ("DATA_S1A", "S1A"), ("ANNOTATIONS", "TARGET"))
    )
    size = read_array(target, (3, None, None)).shape[1:]
    order = sorted(range(len(optical)), key=optical.__getitem__)
    taken = [order[place] for place in evenly(len(optical), DATES)]
    days = [optical[place] for place in taken]
    return Scene(
        id=patch,
        split=split,
        height=size[0],
        width=size[1],
        files=(s2, s1, target),
        image=partial(
            _image,
            (s2, (len(optical), len(S2), *size), taken),
            (s1, (len(radar), 3, *size), nearest(radar, days)),
        ),
        target=partial(_target, target, size),
        dates=tuple(str(day) for day in [*days, *days[-1:] * (DATES - len(days))]),
    )


Part = tuple[Path, tuple[int, ...], list[int]]
"""A sensor's file, the shape it must have, and the acquisitions that are taken."""


def _image(s2: Part, s1: Part, window: Window) -> np.ndarray:
    optical = _read(s2, window)
    missing = (optical == UNMEASURED).all(axis=1, keepdims=True)
    optical = np.where(missing, np.float32(np.nan), optical)
    return pad_dates(np.concatenate([optical, _read(s1, window)[:, : len(S1)]], axis=1), DATES)


def _read(part: Part, window: Window) -> np.ndarray:
    path, shape, taken = part
    rows = slice(window.row, window.row + window.height)
    cols = slice(window.col, window.col + window.width)
    array = read_array(path, shape)
    return np.stack([array[place, :, rows, cols] for place in taken]).astype(np.float32)


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    """The first of three layers is the class; the other two are what it was drawn from."""
    classes = read_array(path, (3, *size))[0]
    if classes.max() > VOID or classes.min() < 0:
        raise EosfmError(
            f"{path} has classes from {classes.min()} to {classes.max()}; expected 0 to {VOID}; "
            "fetch the file again"
        )
    rows = slice(window.row, window.row + window.height)
    return np.array(classes[rows, window.col : window.col + window.width])


DATASET = Dataset(
    name=NAME,
    title="PASTIS-R",
    kind="segmentation",
    bands=(*S2, *S1),
    units=("reflectance_1e4",) * len(S2) + ("db",) * len(S1),
    dtype="float32",
    classes=CLASSES,
    gsd=10.0,
    ignore_index=VOID,
    nodata=float("nan"),
    split_rule="the official five folds as PANGAEA uses them: 1 to 3 train, 4 validates, 5 tests",
    source=Source(
        homepage="https://github.com/VSainteuf/pastis-benchmark",
        licence="Etalab Open Licence 2.0",
        citation="Sainte Fare Garnot, Landrieu, Chehata: Multi-modal temporal attention models for "
        "crop mapping from satellite time series, ISPRS Journal 2022, arXiv 2112.07558",
        size_gb=54.0,
        archives=(
            Archive(
                url="https://zenodo.org/records/5735646/files/PASTIS-R.zip?download=1",
                filename="PASTIS-R.zip",
                checksum="md5:4887513d6c2d2b07fa935d325bd53e09",
            ),
        ),
    ),
    scenes=scenes,
)
"""Ten optical bands and VV, VH of six dates; 18 crops, background, and void (never scored)."""
