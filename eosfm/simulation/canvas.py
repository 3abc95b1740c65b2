"""The canvas on which painters draw a landscape: its layers and random numbers."""

from dataclasses import dataclass

import numpy as np

from eosfm.simulation.covers import CODE
from eosfm.simulation.grid import coordinates
from eosfm.simulation.noise import Cells, fractal


@dataclass
class Canvas:
    """A landscape under construction; painters change its (H, W) layers in place."""

    rng: np.random.Generator  # all randomness of this landscape
    size: tuple[int, int]  # (H, W) in pixels
    gsd: float  # metres per pixel
    angle: float = 0.0  # main direction of fields and streets in radians

    def __post_init__(self) -> None:
        self.x, self.y = coordinates(self.size, self.gsd)  # metres east and south of the middle
        self.cover = np.full(self.size, CODE["grassland"], dtype=np.uint8)
        self.elevation = np.zeros(self.size, dtype=np.float32)  # metres
        self.canopy = np.zeros(self.size, dtype=np.float32)  # metres of trees
        self.building = np.zeros(self.size, dtype=np.float32)  # metres of buildings
        self.tone = np.ones(self.size, dtype=np.float32)  # brightness relative to the cover's mean
        self.growth = np.ones(self.size, dtype=np.float32)  # vigour relative to that day's mean
        self.wet = np.zeros(self.size, dtype=np.float32)  # soil moisture before water is near
        self.parcel = np.zeros(self.size, dtype=np.int32)  # number of the field or building, or 0
        self._ids = 1

    @property
    def extent(self) -> float:
        """Metres across the shorter side."""
        return min(self.size) * self.gsd

    def noise(self, scale: float, octaves: int = 3, roughness: float = 0.5) -> np.ndarray:
        """Fractal noise whose largest bumps measure ``scale`` metres."""
        return fractal(self.rng, self.size, scale / self.gsd, octaves, roughness)

    def per_cell(self, cells: Cells) -> np.ndarray:
        """(H, W) float32 random number 0 to 1 for each cell."""
        return self.rng.random(cells.count, dtype=np.float32)[cells.id]

    def number(self, cells: Cells) -> np.ndarray:
        """(H, W) int32 parcel number of each cell, which no other painter uses."""
        numbers = (cells.id + self._ids).astype(np.int32)
        self._ids += cells.count
        return numbers

    def paint(self, mask: np.ndarray, cover: str | np.ndarray, **layers: object) -> None:
        """Put a cover (or (H, W) codes) on the (H, W) bool ``mask``.

        Replaces what was there. ``layers`` are scalars or (H, W) arrays by attribute; where left
        out, heights and parcel become 0, tone and growth 1.
        """
        code = CODE[cover] if isinstance(cover, str) else cover
        plain = {"canopy": 0, "building": 0, "tone": 1, "growth": 1, "parcel": 0}
        for name, value in (plain | {"cover": code} | layers).items():
            target = getattr(self, name)
            np.copyto(target, np.asarray(value).astype(target.dtype, copy=False), where=mask)
