"""The sheet that painters draw a landscape on."""

from dataclasses import dataclass, field

import numpy as np

from eosfm.simulation.covers import CODE
from eosfm.simulation.noise import fractal


@dataclass
class Canvas:
    """Arrays under construction; painters change them in place.

    Attributes:
        rng: Source of all randomness of this landscape.
        size: (H, W) in pixels.
        gsd: Metres per pixel.
        angle: Main direction of fields and streets in radians.
        x: (H, W) metres east of the middle.
        y: (H, W) metres south of the middle.
        cover: (H, W) uint8.
        elevation: (H, W) metres.
        canopy: (H, W) metres of trees.
        building: (H, W) metres of buildings.
        tone: (H, W) brightness of the object relative to its cover's mean (1 is the mean).
        growth: (H, W) vigour relative to the cover's mean on that day.
        wet: (H, W) soil moisture 0 to 1 before water is near.
        parcel: (H, W) int32 number of the field or building; 0 elsewhere.
    """

    rng: np.random.Generator
    size: tuple[int, int]
    gsd: float
    angle: float = 0.0
    x: np.ndarray = field(init=False)
    y: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        h, w = self.size
        rows = (np.arange(h, dtype=np.float32) - (h - 1) / 2) * np.float32(self.gsd)
        cols = (np.arange(w, dtype=np.float32) - (w - 1) / 2) * np.float32(self.gsd)
        self.y, self.x = (np.ascontiguousarray(a) for a in np.meshgrid(rows, cols, indexing="ij"))
        self.cover = np.full(self.size, CODE["grassland"], dtype=np.uint8)
        self.elevation = np.zeros(self.size, dtype=np.float32)
        self.canopy = np.zeros(self.size, dtype=np.float32)
        self.building = np.zeros(self.size, dtype=np.float32)
        self.tone = np.ones(self.size, dtype=np.float32)
        self.growth = np.ones(self.size, dtype=np.float32)
        self.wet = np.zeros(self.size, dtype=np.float32)
        self.parcel = np.zeros(self.size, dtype=np.int32)
        self._ids = 1

    @property
    def extent(self) -> float:
        """Metres across the shorter side."""
        return min(self.size) * self.gsd

    def noise(self, scale: float, octaves: int = 3, roughness: float = 0.5) -> np.ndarray:
        """Fractal noise whose largest bumps measure ``scale`` metres."""
        return fractal(self.rng, self.size, scale / self.gsd, octaves, roughness)

    def per_cell(self, ids: np.ndarray, count: int) -> np.ndarray:
        """(H, W) float32 random number 0 to 1 for each cell."""
        return self.rng.random(count, dtype=np.float32)[ids]

    def number(self, ids: np.ndarray, count: int) -> np.ndarray:
        """Parcel numbers that no other painter uses."""
        numbers = (ids + self._ids).astype(np.int32)
        self._ids += count
        return numbers

    def paint(self, mask: np.ndarray, cover: str | np.ndarray, **layers: object) -> None:
        """Cover ``mask``; what stood there is gone unless ``layers`` says otherwise.

        Args:
            mask: (H, W) bool.
            cover: A cover's name, or (H, W) uint8 codes.
            layers: New values of ``canopy``, ``building``, ``tone``, ``growth``, ``parcel``:
                scalars or (H, W) arrays. Left out: 0 for heights and parcel, 1 for the others.
        """
        code = CODE[cover] if isinstance(cover, str) else cover
        np.copyto(self.cover, np.asarray(code, dtype=np.uint8), where=mask)
        plain = {"canopy": 0, "building": 0, "tone": 1, "growth": 1, "parcel": 0}
        for name, value in (plain | layers).items():
            target = getattr(self, name)
            np.copyto(target, np.asarray(value).astype(target.dtype, copy=False), where=mask)
