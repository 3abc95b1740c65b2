"""A simulated LEVIR-CD+ in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.datasets.levircdplus import DATASET, FOLDER, NAME, validates
from eosfm.simulation import ROOFS, Simulation, evolve, observe
from eosfm.simulation.images import write_png

THEMES = ("residential", "village", "smallholder", "city", "cropland")


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy; a quarter of the pairs has no new building.

    The names are taken in turn from the original's ``train_<number>``, so that the reader's rule
    gives each split the number of pairs asked for.
    """
    names = (f"train_{number}" for number in count(1))
    for split, index, key in simulation.plan(NAME):
        name = next(n for n in names if split == "test" or validates(n) == (split == "val"))
        before = simulation.draw(key, THEMES[index % len(THEMES)], doy=150)
        # The two dates are years and seasons apart: only the buildings among the changes count.
        after = evolve(before, (*key, "season"), "season")
        if index % 4 != 3:
            # Houses to be built between others are bare lots at first; suburbs grow.
            before = evolve(before, (*key, "lots"), "demolition")
            after = evolve(after, (*key, "construction"), "construction")
        change = after.shows(*ROOFS) & ~before.shows(*ROOFS)
        folder = root / FOLDER / ("test" if split == "test" else "train")
        for part, land in (("A", before), ("B", after)):
            image = observe(land, (*key, part), DATASET.bands, units="dn8").image
            write_png(folder / part / f"{name}.png", image)
        write_png(folder / "label" / f"{name}.png", change.astype(np.uint8) * 255)
