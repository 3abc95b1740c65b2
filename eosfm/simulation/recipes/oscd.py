"""A simulated Onera Satellite Change Detection (OSCD) in its native layout.

Two images of a town differ nearly everywhere: years of sowing, season, sun, brightness of roofs,
and by up to a pixel in place. Urban growth, the one change that is labelled, is a few in a hundred
pixels of it (Daudt et al. 2018, arXiv 1810.08468) and is outlined by hand, as sites.
"""

from pathlib import Path

import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.datasets.oscd import CITIES, DATES, IMAGES, LABELS, NAME
from eosfm.simulation import (
    BUILDINGS,
    ROOFS,
    Key,
    Landscape,
    Simulation,
    evolve,
    observe,
    resampled,
)
from eosfm.simulation.grid import shifted
from eosfm.simulation.images import write_geotiff, write_png
from eosfm.simulation.noise import fractal, generator
from eosfm.simulation.season import Crop, sow

THEMES = (
    ("city", 1.0), ("residential", 1.0), ("industrial", 0.08), ("village", 0.18), ("city", 1.0),
    ("mixed", 0.08), ("residential", 1.0), ("highway", 0.14),
)  # fmt: skip
"""Themes and strengths of construction, highest in dense towns, which have little open land."""
FIELDS = (
    Crop("cereal", 0, 3.0), Crop("maize", 0, 2.0), Crop("rapeseed", 0, 1.0),
    Crop("vegetable", 0, 1.0), Crop("bare_field", 0, 2.0),
)  # fmt: skip
PAVED = (*BUILDINGS, "concrete", "asphalt", "bare_soil")
"""Surfaces whose brightness changes between two dates by weathering, cleaning and parking."""
SITE = 7  # pixels across which new roofs are outlined as one site


def simulate(root: Path, simulation: Simulation) -> None:
    """Write growing simulated towns under the names of the cities."""
    for folder in LABELS.values():
        (root / folder).mkdir(parents=True, exist_ok=True)
    for city, index, key in simulation.name(NAME, "cities", CITIES):
        before, after = draw(simulation, key, *THEMES[index % len(THEMES)])
        labels = root / (LABELS["test"] if city in CITIES["test"] else LABELS["train"])
        write_png(labels / city / "cm" / "cm.png", outline(before, after).astype(np.uint8) * 255)
        down, right = generator(key, "registration").integers(-1, 2, 2).tolist()
        for date, land, move in zip(DATES, (before, after), ((0, 0), (down, right)), strict=True):
            image = shifted(observe(land, (*key, date), S2_BANDS).image, *move)
            for band, pixels in zip(S2_BANDS, resampled(image, S2_BANDS), strict=True):
                path = root / IMAGES / city / date / f"{band}.tif"
                write_geotiff(path, pixels[None], land.gsd, (0.0, 0.0))
        (root / IMAGES / city / "dates.txt").write_text("date_1: 20160520\ndate_2: 20170722\n")


def draw(
    simulation: Simulation, key: Key, theme: str, building: float
) -> tuple[Landscape, Landscape]:
    """A town on two days of different years; in between it has grown."""
    land = simulation.draw(key, theme)
    rng = generator(key, "days")
    states = []
    for year in DATES:
        season = sow(land, (*key, year), FIELDS).on(int(rng.integers(75, 290)))
        weathered = np.exp(0.28 * fractal(rng, land.size, 6.0, 3, 0.8)) * land.shows(*PAVED)
        tone = np.where(weathered > 0, season.tone * weathered, season.tone)
        states.append(season.change(tone=tone.astype(np.float32)))
    before, after = states
    # Clearing and paving change as much as building does, but are not labelled.
    before = evolve(before, (*key, "yards before"), "clearing", strength=1.9)
    after = evolve(after, (*key, "yards after"), "clearing", strength=1.9)
    # Some new houses stand on sites prepared at the first date; some old ones are gone.
    before = evolve(before, (*key, "sites"), "demolition", strength=0.12)
    after = evolve(after, (*key, "gone"), "demolition", strength=0.1)
    return before, evolve(after, (*key, "construction"), "construction", strength=building)


def outline(before: Landscape, after: Landscape) -> np.ndarray:
    """(H, W) bool: the sites of new buildings, with the ground between them."""
    from scipy.ndimage import uniform_filter

    new = after.shows(*ROOFS) & ~before.shows(*ROOFS)
    return uniform_filter(new.astype(np.float32), SITE) > 0.16
