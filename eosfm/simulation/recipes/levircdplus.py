"""A simulated LEVIR-CD+ in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.levircdplus import FOLDER, HELD_OUT, _rank
from eosfm.datasets.readers.png import write_png
from eosfm.simulation import ROOFS, cover_mask, draw_landscape, evolve, observe
from eosfm.simulation.recipe import Simulation

THEMES = ("residential", "village", "smallholder", "city", "cropland")


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy; a quarter of the pairs has no new building.

    The names are taken in turn from the original's ``train_<number>``, so that the reader's rule
    gives each split the number of pairs asked for.
    """
    wanted = dict(simulation.scenes)
    numbers = count(1)
    for split in SPLITS:
        names = (f"train_{number}" for number in numbers)
        fitting = (name for name in names if split == "test" or _split_of(name) == split)
        for index in range(wanted[split]):
            _simulate_pair(root, simulation, split, next(fitting), index)


def _split_of(name: str) -> Split:
    return "val" if _rank(name) < HELD_OUT else "train"


def _simulate_pair(root: Path, simulation: Simulation, split: Split, name: str, index: int) -> None:
    key = (simulation.seed, "levircdplus", split, index)
    size = (simulation.size, simulation.size)
    before = draw_landscape(key, size, simulation.gsd, THEMES[index % len(THEMES)], doy=150)
    # The two dates are years and seasons apart: only the buildings among the changes count.
    after = evolve(before, (*key, "season"), "season")
    if index % 4 != 3:
        # Houses that will stand between others are bare lots at first; suburbs grow into fields.
        before = evolve(before, (*key, "lots"), "demolition")
        after = evolve(after, (*key, "construction"), "construction")
    change = cover_mask(after.cover, *ROOFS) & ~cover_mask(before.cover, *ROOFS)
    parts = {
        "A": _photograph(before, (*key, "A")),
        "B": _photograph(after, (*key, "B")),
        "label": change.astype(np.uint8) * 255,
    }
    folder = "test" if split == "test" else "train"
    for part, pixels in parts.items():
        write_png(root / FOLDER / folder / part / f"{name}.png", pixels)


def _photograph(land, key: tuple[int | str, ...]) -> np.ndarray:  # type: ignore[no-untyped-def]
    return observe(land, key, ("red", "green", "blue"), units="dn8").image
