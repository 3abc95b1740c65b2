"""A simulated PASTIS-R in its native layout."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.seeds import derive_seed
from eosfm.datasets.pastis import CLASSES, FOLDER, FOLDS, METADATA, NAME, S2, VOID
from eosfm.simulation import Key, Simulation, rectangle, write_geojson
from eosfm.simulation.season import Crop, Season, calendar, see, sound, sow

SIMULATED_CROPS = {
    "soft winter wheat": Crop("cereal", 0, 0.24), "corn": Crop("maize", 0, 0.24),
    "winter barley": Crop("cereal", -32, 0.12), "winter rapeseed": Crop("rapeseed", 0, 0.16),
    "sunflower": Crop("vegetable", 10, 0.12), "beet": Crop("vegetable", 60, 0.12),
}  # fmt: skip
"""Frequent crops of the original that the simulated Earth can tell apart by look or season."""

PERMANENT = {"meadow": ("pasture",), "grapevine": ("vineyard",), "orchard": ("orchard", "olive")}
THEMES = ("cropland", "mixed", "orchard", "cropland", "village", "pasture")
START, DAYS = date(2018, 10, 5), 370  # first day, and number of days, of the simulated year
REGION = "temperate"  # France
CLOUDY = 0.3  # share of the simulated acquisitions that have clouds


def simulate(root: Path, simulation: Simulation) -> None:
    """Write patches of one year each, with far fewer acquisitions than the originals have.

    The descending orbit and the instances, which are not read, are left out.
    """
    features: list[dict[str, Any]] = []
    for split, index, key in simulation.plan(NAME):
        folds = [fold for fold, name in FOLDS.items() if name == split]
        patch = 10000 + len(features)
        dates = _write_patch(root / FOLDER, patch, key, simulation)
        features.append(_feature(patch, folds[index % len(folds)], dates, simulation))
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2154"}}
    write_geojson(root / FOLDER / METADATA, features, crs=crs)


def _feature(
    patch: int, fold: int, dates: dict[str, list[date]], simulation: Simulation
) -> dict[str, Any]:
    side = simulation.side
    west, south = 600000 + 2 * side * (patch % 100), 6400000 + 2 * side * (patch // 100)
    tables = {
        f"dates-{sensor}": {str(place): int(f"{day:%Y%m%d}") for place, day in enumerate(days)}
        for sensor, days in dates.items()
    }
    return {
        "id": str(patch),
        "properties": {"ID_PATCH": patch, "Fold": fold, **tables},
        "geometry": rectangle(west, south, west + side, south + side),
    }


def _write_patch(
    folder: Path, patch: int, key: Key, simulation: Simulation
) -> dict[str, list[date]]:
    """One landscape through the seasons; returns the dates by sensor."""
    rng = np.random.default_rng(derive_seed(*key, "dates"))
    land = simulation.draw(key, THEMES[int(key[-1]) % len(THEMES)], doy=165)
    season = sow(land, key, tuple(SIMULATED_CROPS.values()))
    counts = {"S2": int(rng.integers(7, 9)), "S1A": 7}
    dates = {name: calendar(rng, START, DAYS, number) for name, number in counts.items()}
    optical = np.stack(see(season, key, dates["S2"], S2, CLOUDY, REGION, "surface")).astype(
        np.int16
    )
    radar = np.stack(sound(season, key, dates["S1A"]))
    radar = np.concatenate([radar, radar[:, :1] - radar[:, 1:]], axis=1).astype(np.float16)
    for name, array in (
        (f"DATA_S2/S2_{patch}.npy", optical),
        (f"DATA_S1A/S1A_{patch}.npy", radar),
        (f"ANNOTATIONS/TARGET_{patch}.npy", np.stack([_classes(season)] * 3)),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, array)
    return dates


def _classes(season: Season) -> np.ndarray:
    """(H, W) uint8: parcels by crop, background between them, void where the edge cuts most."""
    land = season.land
    classes = np.zeros(land.size, np.uint8)
    for name, covers in PERMANENT.items():
        classes[land.shows(*covers) & (land.parcel > 0)] = CLASSES.index(name)
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
