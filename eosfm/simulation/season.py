"""A growing season: which crop every field bears, and how the land looks on any of its days."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.simulation.covers import CROPS, codes, phenology
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key, generator

YEAR = 365
DORMANT = 0.05
"""Vigour below which a cover's own growth cannot be told from its season."""


@dataclass(frozen=True)
class Crop:
    """What a field may bear.

    Attributes:
        cover: How it looks: a name in :data:`eosfm.simulation.COVERS`.
        delay: Days by which it grows later than that cover does in :func:`phenology`.
        share: How often it is sown, relative to the others.
    """

    cover: str
    delay: float
    share: float


@dataclass(frozen=True)
class Season:
    """A landscape with a calendar; all arrays are (H, W).

    Attributes:
        land: The land with its crops, on the day it was drawn.
        crop: int64 position in the crops that were sown, -1 where there is no field.
        delay: float32 days by which growth lags behind that of the cover.
        growth: float32 vigour relative to the cover's mean.
    """

    land: Landscape
    crop: np.ndarray
    delay: np.ndarray
    growth: np.ndarray

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
        key: Integers and strings.
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
