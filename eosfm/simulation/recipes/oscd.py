"""A simulated Onera Satellite Change Detection (OSCD) in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.core.errors import EosfmError
from eosfm.datasets.oscd import CITIES, DATES, IMAGES, LABELS, NAME
from eosfm.datasets.readers.geotiff import write_geotiff
from eosfm.datasets.readers.png import write_png
from eosfm.simulation import ROOFS, Landscape, cover_mask, draw_landscape, evolve, observe
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.resampling import resampled

THEMES = ("village", "industrial", "mixed", "highway", "village", "coast", "city", "cropland")


def simulate(root: Path, simulation: Simulation) -> None:
    """Write growing simulated towns under the names of the cities.

    Raises:
        EosfmError: More scenes are asked for than a split has cities.
    """
    for split, cities in CITIES.items():
        count = simulation.scenes[split]
        if count > len(cities):
            raise EosfmError(
                f"{NAME} has {len(cities)} {split} cities, not {count}; lower "
                f"datasets.{NAME}.simulated.{split}"
            )
        labels = root / LABELS["test" if split == "test" else "train"]
        labels.mkdir(parents=True, exist_ok=True)
        for index, city in enumerate(cities[:count]):
            key = (simulation.seed, NAME, split, index)
            before, after = _grow(key, THEMES[index % len(THEMES)], simulation)
            new = cover_mask(after.cover, *ROOFS) & ~cover_mask(before.cover, *ROOFS)
            write_png(labels / city / "cm" / "cm.png", new.astype(np.uint8) * 255)
            _write_images(root / IMAGES / city, key, (before, after))


def _grow(
    key: tuple[int | str, ...], theme: str, simulation: Simulation
) -> tuple[Landscape, Landscape]:
    """A town before and after about a year of building; only new buildings count as change."""
    size = (simulation.size, simulation.size)
    before = draw_landscape(key, size, simulation.gsd, theme, doy=140)
    after = evolve(before, (*key, "season"), "season", strength=0.7)
    return before, evolve(after, (*key, "construction"), "construction", strength=0.7)


def _write_images(
    place: Path, key: tuple[int | str, ...], lands: tuple[Landscape, Landscape]
) -> None:
    for date, land in zip(DATES, lands, strict=True):
        image = resampled(observe(land, (*key, date), S2_BANDS).image, S2_BANDS)
        for band, pixels in zip(S2_BANDS, image, strict=True):
            write_geotiff(place / date / f"{band}.tif", pixels[None], land.gsd, (0.0, 0.0))
    (place / "dates.txt").write_text("date_1: 20160520\ndate_2: 20170722\n")
