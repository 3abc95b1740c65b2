"""A simulated ETCI 2021 Flood Detection in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.splits import Split
from eosfm.datasets.etci2021 import NAME
from eosfm.simulation import WATER, Simulation, backscatter, evolve
from eosfm.simulation.images import write_png

EVENTS: dict[Split, tuple[str, ...]] = {
    "train": ("train/bangladesh_20170314t115609", "train/nebraska_20170108t002112"),
    "val": ("train/northal_20190302t234651",),
    "test": ("test/florence_20180510t231343",),
}

GAP = 99
"""Number of each event's tile without an image."""
THEMES = ("river", "cropland", "lake", "village", "river", "wetland", "mixed")


def simulate(root: Path, simulation: Simulation) -> None:
    """Write flooded and dry tiles of simulated river landscapes, and one gap tile per event."""
    for split, events in EVENTS.items():
        simulation.limit(NAME, "tiles", split, GAP * len(events))
    for split, index, key in simulation.plan(NAME):
        land = simulation.draw(key, THEMES[index % len(THEMES)])
        water = land.shows(*WATER)
        if index % 4 != 3:  # passes before the flood are part of the data, too
            land = evolve(land, (*key, "flood"), "flood")
        image = backscatter(land, (*key, "sar"), units="dn8")
        number, event = divmod(index, len(EVENTS[split]))
        flood = land.shows("flood") & (land.moisture > 0.5)
        _write_tile(root / EVENTS[split][event], number, image, flood, water)
    for name in (name for names in EVENTS.values() for name in names):
        blank = np.full((simulation.size, simulation.size), 255, np.uint8)
        _write_tile(root / name, GAP, np.stack([blank] * 2), blank < 255, blank < 255)


def _write_tile(
    event: Path, number: int, image: np.ndarray, flood: np.ndarray, water: np.ndarray
) -> None:
    tile = f"{event.name}_x-{number % 10}_y-{number // 10}"
    for name, pixels in (
        (f"vv/{tile}_vv.png", np.stack([image[0]] * 3)),
        (f"vh/{tile}_vh.png", np.stack([image[1]] * 3)),
        (f"flood_label/{tile}.png", flood * np.uint8(255)),
        (f"water_body_label/{tile}.png", water * np.uint8(255)),
    ):
        write_png(event / "tiles" / name, pixels)
