"""A simulated Onera Satellite Change Detection (OSCD) in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.datasets.oscd import CITIES, DATES, IMAGES, LABELS, NAME
from eosfm.simulation import ROOFS, Simulation, evolve, observe, resampled
from eosfm.simulation.images import write_geotiff, write_png

THEMES = ("village", "industrial", "mixed", "highway", "village", "coast", "city", "cropland")


def simulate(root: Path, simulation: Simulation) -> None:
    """Write growing simulated towns under the names of the cities."""
    for folder in LABELS.values():
        (root / folder).mkdir(parents=True, exist_ok=True)
    for city, index, key in simulation.name(NAME, "cities", CITIES):
        before = simulation.draw(key, THEMES[index % len(THEMES)], doy=140)
        # About a year of building passes; only new buildings count as change.
        after = evolve(before, (*key, "season"), "season", strength=0.7)
        after = evolve(after, (*key, "construction"), "construction", strength=0.7)
        new = after.shows(*ROOFS) & ~before.shows(*ROOFS)
        labels = root / (LABELS["test"] if city in CITIES["test"] else LABELS["train"])
        write_png(labels / city / "cm" / "cm.png", new.astype(np.uint8) * 255)
        for date, land in zip(DATES, (before, after), strict=True):
            image = resampled(observe(land, (*key, date), S2_BANDS).image, S2_BANDS)
            for band, pixels in zip(S2_BANDS, image, strict=True):
                path = root / IMAGES / city / date / f"{band}.tif"
                write_geotiff(path, pixels[None], land.gsd, (0.0, 0.0))
        (root / IMAGES / city / "dates.txt").write_text("date_1: 20160520\ndate_2: 20170722\n")
