"""A simulated xView2 (xBD) in its native layout."""

import json
from itertools import count
from pathlib import Path

import numpy as np

from eosfm.datasets.xview2 import DATASET, NAME, SUBTYPES, split_of
from eosfm.simulation import BUILDINGS, Key, Landscape, Simulation, evolve, observe, write_text
from eosfm.simulation.images import write_png

EVENTS: dict[str, dict[str, dict[str, float]]] = {
    "train": {
        "hurricane-michael": {"damage": 1.2},
        "santa-rosa-wildfire": {"burn": 2.0, "damage": 1.6},
        "mexico-earthquake": {"damage": 0.5},
        "hurricane-harvey": {"flood": 1.0, "damage": 0.8},
        "palu-tsunami": {"flood": 0.6, "damage": 1.8},
    },
    "tier3": {
        "joplin-tornado": {"damage": 1.8},
        "nepal-flooding": {"flood": 1.2, "damage": 0.5},
        "woolsey-fire": {"burn": 2.5, "damage": 1.2},
    },
}
"""Simulated disasters of each part, with their events and strengths."""

EVENTS["test"] = EVENTS["train"]

REGIONS = {
    "mexico-earthquake": "tropics", "palu-tsunami": "tropics", "nepal-flooding": "east asia",
    "santa-rosa-wildfire": "dry west", "woolsey-fire": "dry west",
}  # fmt: skip
"""Region, for sun and atmosphere, of disasters outside the temperate zone."""

THEMES = ("residential", "village", "city", "residential", "industrial", "village", "smallholder")


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy; every fourth pair to train on lies in ``tier3``.

    Numbers are taken in turn, so that the reader's rule gives each split the pairs asked for.
    """
    numbers = count()
    for split, index, key in simulation.plan(NAME):
        part = "test" if split == "test" else "tier3" if index % 4 == 3 else "train"
        disaster = list(EVENTS[part])[index % len(EVENTS[part])]
        names = (f"{disaster}_{number:08d}" for number in numbers)
        pair = next(name for name in names if split_of(part, name) == split)
        before = simulation.draw(key, THEMES[index % len(THEMES)], doy=200)
        after = strike(before, key, EVENTS[part][disaster])
        region = REGIONS.get(disaster, "temperate")
        for date, land in (("pre", before), ("post", after)):
            seen = observe(land, (*key, date), DATASET.bands, units="dn8", region=region)
            write_png(root / part / "images" / f"{pair}_{date}_disaster.png", seen.image)
        standing = before.shows(*BUILDINGS)
        _write_polygons(root / part, pair, standing, after.damage)
        if part != "tier3":
            _write_targets(root / part, pair, standing, after.damage)


def strike(before: Landscape, key: Key, events: dict[str, float]) -> Landscape:
    """The town some weeks later, after the events."""
    after = evolve(before, (*key, "season"), "season", strength=0.4)
    for event, strength in events.items():
        after = evolve(after, (*key, event), event, strength)
    return after


def _write_targets(folder: Path, pair: str, standing: np.ndarray, damage: np.ndarray) -> None:
    classes = np.where(standing, damage + 1, 0).astype(np.uint8)
    for date, target in (("pre", standing.astype(np.uint8)), ("post", classes)):
        write_png(folder / "targets" / f"{pair}_{date}_disaster_target.png", target)


def _write_polygons(folder: Path, pair: str, standing: np.ndarray, damage: np.ndarray) -> None:
    from rasterio.features import shapes
    from shapely.geometry import shape

    names = {index - 1: name for name, index in SUBTYPES.items()}
    features = [
        {
            "properties": {"feature_type": "building", "subtype": names[int(level)]},
            "wkt": shape(geometry).wkt,
        }
        for geometry, level in shapes(damage, mask=standing)
    ]
    path = folder / "labels" / f"{pair}_post_disaster.json"
    write_text(path, json.dumps({"features": {"xy": features}}))
