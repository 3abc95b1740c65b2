"""What satellites bring home of a growing season: acquisitions over a year, clouds included."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from eosfm.core.seeds import derive_seed
from eosfm.simulation.grid import resampled
from eosfm.simulation.noise import Key
from eosfm.simulation.optical import observe
from eosfm.simulation.radar import backscatter
from eosfm.simulation.season import Season


def calendar(rng: np.random.Generator, start: date, days: int, count: int) -> list[date]:
    """Acquisitions spread over a number of days from the first, each some days early or late."""
    step = days / count
    return [start + timedelta(round(step * (i + rng.uniform(0, 0.4)))) for i in range(count)]


def see(
    season: Season, key: Key, days: Sequence[date], bands: tuple[str, ...], cloudy: float
) -> list[np.ndarray]:
    """What Sentinel-2 sees on some days, resampled to 10 m.

    Args:
        season: The land through the year.
        key: Integers and strings.
        days: Dates of the acquisitions.
        bands: Names of the channels.
        cloudy: Share of the acquisitions that have clouds.

    Returns:
        An array (C, H, W) uint16 per day.
    """
    images = []
    for day in days:
        seen = (*key, "s2", str(day))
        cloud = 0.25 if np.random.default_rng(derive_seed(*seen, "cloud")).random() < cloudy else 0
        land = season.on(day.timetuple().tm_yday)
        images.append(resampled(observe(land, seen, bands, cloud=cloud).image, bands))
    return images


def sound(season: Season, key: Key, days: Sequence[date]) -> list[np.ndarray]:
    """What Sentinel-1 receives on some days: VV and VH (2, H, W) float32 decibels per day."""
    return [
        backscatter(season.on(day.timetuple().tm_yday), (*key, "s1", str(day)), ("vv", "vh"))
        for day in days
    ]
