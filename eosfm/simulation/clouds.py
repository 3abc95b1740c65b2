"""Clouds over a scene, and the shadows that they throw on it."""

from dataclasses import dataclass

import numpy as np

from eosfm.simulation.noise import fractal
from eosfm.simulation.sky import Sky

CIRRUS = 0.25  # share of cloudy scenes whose clouds are high and thin
_LOW, _HIGH = (0.7, 2.5), (8.0, 12.0)  # km from the ground to the top
_ICE = 5.0  # km from the ground above which clouds are of ice
# Wavelengths in nm, and how bright clouds of drops and of ice are there relative to the visible.
_ABSORBED = ((1300, 1610, 2190), (1.0, 0.75, 0.55), (1.0, 0.45, 0.35))


@dataclass(frozen=True)
class Clouds:
    """What hangs over a scene; arrays are (H, W)."""

    height: float  # of the tops above the ground in km
    opacity: np.ndarray  # float32 share of the light from below that is lost, 0 to 1
    shade: np.ndarray  # float32 share of the direct sunlight that is lost on the ground
    mask: np.ndarray  # bool, true where a person would say cloud
    top: np.ndarray  # float32 reflectance of a closed cloud in visible light

    def colour(self, wavelengths: np.ndarray) -> np.ndarray:
        """(C,) reflectance relative to that in visible light, at wavelengths in nm.

        Drops absorb in the shortwave infrared, and ice absorbs more (Nakajima and King 1990,
        doi:10.1175/1520-0469(1990)047<1878:DOTOTA>2.0.CO;2).
        """
        places, drops, ice = _ABSORBED
        return np.interp(wavelengths, places, ice if self.height > _ICE else drops)


def draw_clouds(
    rng: np.random.Generator, size: tuple[int, int], gsd: float, sky: Sky, share: float
) -> Clouds:
    """Draw clouds of one layer.

    The shadow lies where the sun's rays through the cloud meet flat ground: away from the sun by
    the height over the tangent of the sun's (Zhu and Woodcock 2012,
    doi:10.1016/j.rse.2011.10.028). Clouds beyond the scene's edge throw theirs into it.

    Args:
        rng: Randomness.
        size: (H, W) in pixels.
        gsd: Metres per pixel.
        sky: Where the sun stands.
        share: Of the scene under cloud, 0 to 1.
    """
    high = rng.random() < CIRRUS
    height = rng.uniform(*(_HIGH if high else _LOW))
    reach = 1000 * height / np.tan(sky.height) / gsd
    down, right = reach * np.cos(sky.azimuth), -reach * np.sin(sky.azimuth)
    # Clouds further away than this have no more in common with those in view.
    down, right = (
        round(float(np.clip(away, -1.5 * side, 1.5 * side)))
        for away, side in zip((down, right), size, strict=True)
    )
    h, w = size
    field = fractal(rng, (h + abs(down), w + abs(right)), 0.45 * max(size), 7, 0.55)
    top, left = max(down, 0), max(right, 0)
    seen = field[top : top + h, left : left + w]
    over = field[top - down : top - down + h, left - right : left - right + w]
    edge = np.quantile(seen, 1 - share)
    thickest = np.float32(rng.uniform(0.35, 0.75) if high else 0.96)
    soft = np.float32(0.6 if high else 0.25)
    opacity, shade = (thickest * np.clip((x - edge) / soft + 0.5, 0, 1) for x in (seen, over))
    bright = np.float32(rng.uniform(0.55, 0.85)) * (1 + 0.05 * fractal(rng, size, 0.1 * w, 4))
    return Clouds(height, opacity, shade, seen > edge, bright)
