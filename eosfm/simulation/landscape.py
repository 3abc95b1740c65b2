"""The landscape: what lies where, as arrays, before any sensor looks at it."""

from dataclasses import dataclass, replace

import numpy as np

from eosfm.simulation.covers import CODE, WATER, cover_mask


@dataclass(frozen=True)
class Landscape:
    """A piece of simulated ground; all arrays are (H, W)."""

    gsd: float  # metres per pixel
    doy: int  # day of the year, 1 to 366
    cover: np.ndarray  # uint8 positions in eosfm.simulation.COVERS
    elevation: np.ndarray  # float32 metres
    canopy_height: np.ndarray  # float32 metres of vegetation, 0 to 48
    building_height: np.ndarray  # float32 metres
    moisture: np.ndarray  # float32 soil moisture 0 to 1; of a flood, the share under water
    vigour: np.ndarray  # float32 green vigour 0 to 1 on that day; 0 where nothing grows
    tone: np.ndarray  # float32 brightness of an object relative to its cover's mean
    parcel: np.ndarray  # int32 number of the field or building, 0 elsewhere
    damage: np.ndarray  # uint8 of a building: 0 none, 1 minor, 2 major, 3 destroyed
    angle: float  # main direction of fields and streets in radians
    soil: tuple[float, float]  # brightness and redness of the soil relative to the mean
    turbidity: float  # of the water, 0 clear to 1 muddy

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.cover.shape[0], self.cover.shape[1]

    def shows(self, *covers: str) -> np.ndarray:
        """(H, W) bool: where the land has one of the named covers, for example ``*WATER``."""
        return cover_mask(self.cover, *covers)

    def open_water(self) -> np.ndarray:
        """(H, W) float32 share of each pixel in which water is seen from above, 0 to 1."""
        flooded = np.where(self.shows("flood"), self.moisture * (1 - self.vigour), 0)
        return np.where(self.shows(*WATER), 1, flooded).astype(np.float32)

    def change(self, **fields: object) -> "Landscape":
        """A copy with some attributes replaced."""
        return replace(self, **fields)  # type: ignore[arg-type]

    def covered(self, mask: np.ndarray, cover: str | np.ndarray, **layers: object) -> "Landscape":
        """A copy with a new, lifeless cover (or (H, W) codes) on the (H, W) bool ``mask``.

        Replaces what was there; ``layers`` sets attributes to scalars or (H, W) arrays.
        """
        bare = {"canopy_height": 0, "building_height": 0, "vigour": 0, "tone": 1, "parcel": 0}
        code = CODE[cover] if isinstance(cover, str) else cover
        changed = {}
        for name, value in (bare | {"cover": code} | layers).items():
            before = getattr(self, name)
            changed[name] = np.where(mask, np.asarray(value), before).astype(before.dtype)
        return self.change(**changed)
