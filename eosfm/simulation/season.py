"""A growing season: which crop every field bears, how the land looks, and what satellites see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.seeds import derive_seed
from eosfm.simulation.covers import CROPS, codes, phenology
from eosfm.simulation.grid import resampled
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key, generator
from eosfm.simulation.optical import Product, observe
from eosfm.simulation.radar import backscatter

YEAR = 365
DORMANT = 0.05  # vigour below which a cover's own growth cannot be told from its season


@dataclass(frozen=True)
class Crop:
    """What a field may bear."""

    cover: str  # how it looks: a name in eosfm.simulation.COVERS
    delay: float  # days by which it grows later than that cover does in phenology()
    share: float  # how often it is sown, relative to the others


@dataclass(frozen=True)
class Season:
    """A landscape with a calendar; all arrays are (H, W)."""

    land: Landscape  # with its crops, on the day it was drawn
    crop: np.ndarray  # int64 position in the crops that were sown, -1 where there is no field
    delay: np.ndarray  # float32 days by which growth lags behind that of the cover
    growth: np.ndarray  # float32 vigour relative to the cover's mean

    def on(self, doy: int) -> Landscape:
        """The land on a day of the year, 1 to 366."""
        day = np.rint(doy - self.delay).astype(np.int64) % YEAR
        vigour = np.clip(_curves()[day, self.land.cover] * self.growth, 0, 1)
        return self.land.change(doy=doy, vigour=vigour.astype(np.float32))


@lru_cache(maxsize=1)
def _curves() -> np.ndarray:
    """(days, covers) float32 vigour on every day of the year."""
    return np.stack([phenology(day) for day in range(YEAR)])


def sow(land: Landscape, key: Key, crops: Sequence[Crop], lag: float = 0.0) -> Season:
    """Sow the arable fields of a landscape anew.

    A field bears one crop; it is sown some days early or late and grows better or worse than its
    neighbours. All else that grows keeps its cover.

    Args:
        land: A landscape on a day on which its crops are green.
        key: Of the random draw.
        crops: What is sown.
        lag: Days by which all other vegetation lags behind the northern mid-latitudes.

    Raises:
        EosfmError: There is no crop, or a cover is unknown.
    """
    if not crops:
        raise EosfmError("no crop to sow; name at least one")
    rng = generator(key, "sowing")
    usual = _curves()[land.doy % YEAR, land.cover]
    growth = np.where(usual > DORMANT, land.vigour / np.maximum(usual, DORMANT), 1)
    arable = land.shows(*CROPS, "bare_field") & (land.parcel > 0)
    numbers, index = np.unique(np.where(arable, land.parcel, 0), return_inverse=True)
    index = index.reshape(land.size)
    shares = np.array([crop.share for crop in crops])
    choice = rng.choice(len(crops), len(numbers), p=shares / shares.sum())
    late = rng.normal(0, 6, len(numbers)) + np.array([crop.delay for crop in crops])[choice]
    vigorous = rng.uniform(0.75, 1.1, len(numbers))
    cover = codes([crop.cover for crop in crops])[choice]
    return Season(
        land=land.change(cover=np.where(arable, cover[index], land.cover)),
        crop=np.where(arable, choice[index], -1),
        delay=np.where(arable, late[index], lag).astype(np.float32),
        growth=np.where(arable, growth * vigorous[index], growth).astype(np.float32),
    )


def calendar(rng: np.random.Generator, start: date, days: int, count: int) -> list[date]:
    """Acquisitions spread over a number of days from the first, each some days early or late."""
    step = days / count
    return [start + timedelta(round(step * (i + rng.uniform(0, 0.4)))) for i in range(count)]


def see(
    season: Season,
    key: Key,
    days: Sequence[date],
    bands: tuple[str, ...],
    cloudy: float,
    region: str,
    product: Product,
) -> list[np.ndarray]:
    """What Sentinel-2 sees on some days, resampled to 10 m.

    Args:
        season: The land through the year.
        key: Two keys are two years of the same land.
        days: Dates of the acquisitions.
        bands: Names of the channels.
        cloudy: Share of the acquisitions that have clouds.
        region: Whose sun and air, as in :func:`eosfm.simulation.observe`.
        product: What the air's part in the reflectance is, likewise.

    Returns:
        An array (C, H, W) uint16 per day.
    """
    images = []
    for day in days:
        seen = (*key, "s2", str(day))
        cloud = 0.25 if np.random.default_rng(derive_seed(*seen, "cloud")).random() < cloudy else 0
        land = season.on(day.timetuple().tm_yday)
        image = observe(land, seen, bands, cloud=cloud, region=region, product=product).image
        images.append(resampled(image, bands))
    return images


def sound(season: Season, key: Key, days: Sequence[date]) -> list[np.ndarray]:
    """What Sentinel-1 receives on some days: VV and VH (2, H, W) float32 decibels per day."""
    return [
        backscatter(season.on(day.timetuple().tm_yday), (*key, "s1", str(day)), ("vv", "vh"))
        for day in days
    ]
