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
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.catalog.shared.layout import require
from eosfm.catalog.shared.sentinel2 import resampled
from eosfm.catalog.shared.series import evenly, nearest, pad_dates, parse_dates, read_array
from eosfm.catalog.spec import SPLITS, Archive, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.seeds import derive_seed
from eosfm.simulation import backscatter, cover_mask, draw_landscape, observe
from eosfm.simulation.season import Crop, Season, sow

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

SIMULATED_CROPS = {
    "soft winter wheat": Crop("cereal", 0, 0.24), "corn": Crop("maize", 0, 0.24),
    "winter barley": Crop("cereal", -32, 0.12), "winter rapeseed": Crop("rapeseed", 0, 0.16),
    "sunflower": Crop("vegetable", 10, 0.12), "beet": Crop("vegetable", 60, 0.12),
}  # fmt: skip
"""Frequent crops of the original that the simulated Earth can tell apart by look or season."""
PERMANENT = {"meadow": ("pasture",), "grapevine": ("vineyard",), "orchard": ("orchard", "olive")}
THEMES = ("cropland", "mixed", "orchard", "cropland", "village", "pasture")
START = date(2018, 10, 5)
DAYS = 370
"""First day, and number of days, of the simulated year."""
CLOUDY = 0.15
"""Share of the simulated acquisitions that have clouds."""


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


def simulate(root: Path, simulation: Simulation) -> None:
    """Write patches of one year each, with far fewer acquisitions than the originals have.

    The descending orbit and the instances, which are not read, are left out.
    """
    features: list[dict[str, Any]] = []
    for split in SPLITS:
        folds = [fold for fold, name in FOLDS.items() if name == split]
        for index in range(simulation.scenes[split]):
            patch = 10000 + len(features)
            key = (simulation.seed, NAME, split, index)
            dates = _write_patch(root / FOLDER, patch, key, simulation)
            features.append(_feature(patch, folds[index % len(folds)], dates, simulation))
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2154"}}
    collection = {"type": "FeatureCollection", "crs": crs, "features": features}
    (root / FOLDER / METADATA).write_text(json.dumps(collection))


def _feature(
    patch: int, fold: int, dates: dict[str, list[date]], simulation: Simulation
) -> dict[str, Any]:
    side = simulation.size * simulation.gsd
    west, south = 600000 + 2 * side * (patch % 100), 6400000 + 2 * side * (patch // 100)
    corners = ((0, 0), (side, 0), (side, side), (0, side), (0, 0))
    ring = [[west + east, south + north] for east, north in corners]
    tables = {
        f"dates-{sensor}": {str(place): int(f"{day:%Y%m%d}") for place, day in enumerate(days)}
        for sensor, days in dates.items()
    }
    return {
        "type": "Feature",
        "id": str(patch),
        "properties": {"ID_PATCH": patch, "Fold": fold, **tables},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def _write_patch(
    folder: Path, patch: int, key: tuple[int | str, ...], simulation: Simulation
) -> dict[str, list[date]]:
    """One landscape through the seasons; returns the dates by sensor."""
    rng = np.random.default_rng(derive_seed(*key, "dates"))
    shape = (simulation.size, simulation.size)
    theme = THEMES[int(key[-1]) % len(THEMES)]
    land = draw_landscape(key, shape, simulation.gsd, theme, doy=165)
    season = sow(land, key, tuple(SIMULATED_CROPS.values()))
    dates = {"S2": _calendar(rng, int(rng.integers(7, 9))), "S1A": _calendar(rng, 7)}
    optical = [_optical(season, key, day) for day in dates["S2"]]
    radar = [_radar(season, key, day) for day in dates["S1A"]]
    for name, array in (
        (f"DATA_S2/S2_{patch}.npy", np.stack(optical)),
        (f"DATA_S1A/S1A_{patch}.npy", np.stack(radar)),
        (f"ANNOTATIONS/TARGET_{patch}.npy", np.stack([_classes(season)] * 3)),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, array)
    return dates


def _calendar(rng: np.random.Generator, count: int) -> list[date]:
    """Days spread over the year from October to the next, each some days early or late."""
    step = DAYS / count
    return [START + timedelta(round(step * (i + rng.uniform(0, 0.4)))) for i in range(count)]


def _optical(season: Season, key: tuple[int | str, ...], day: date) -> np.ndarray:
    key = (*key, "s2", str(day))
    cloudy = np.random.default_rng(derive_seed(*key, "cloud")).random() < CLOUDY
    cloud = 0.25 if cloudy else 0.0
    image = observe(season.on(day.timetuple().tm_yday), key, S2, cloud=cloud).image
    return resampled(image, S2).astype(np.int16)


def _radar(season: Season, key: tuple[int | str, ...], day: date) -> np.ndarray:
    levels = backscatter(season.on(day.timetuple().tm_yday), (*key, "s1", str(day)), S1)
    return np.stack([*levels, levels[0] - levels[1]]).astype(np.float16)


def _classes(season: Season) -> np.ndarray:
    """(H, W) uint8: parcels by crop, background between them, void where the edge cuts most."""
    land = season.land
    classes = np.zeros(land.size, np.uint8)
    for name, covers in PERMANENT.items():
        classes[cover_mask(land.cover, *covers) & (land.parcel > 0)] = CLASSES.index(name)
    sown = np.array([CLASSES.index(name) for name in SIMULATED_CROPS], np.uint8)
    classes = np.where(season.crop >= 0, sown[season.crop], classes)
    parcel = np.where(classes > 0, land.parcel, 0)
    area = np.bincount(parcel.ravel())
    edge = parcel.copy()
    edge[1:-1, 1:-1] = 0
    cut = np.isin(np.arange(len(area)), edge)
    cut &= area < np.median(area[area > 0]) / 2
    cut[0] = False
    return np.where(cut[parcel], np.uint8(VOID), classes)


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
    simulate=simulate,
)
"""Ten optical bands and VV, VH of six dates; 18 crops, background, and void (never scored)."""
