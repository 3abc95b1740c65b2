"""What an optical sensor sees of a landscape."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from eosfm.core.bands import BANDS, band
from eosfm.core.errors import EosfmError
from eosfm.simulation.covers import SOIL, WATER, code, codes, spectra
from eosfm.simulation.grid import shifted, spread
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key, fractal, generator

Units = Literal["reflectance_1e4", "dn8"]
_PSF = 0.16  # of the light on the neighbour: a modulation transfer near 0.35 at Nyquist


class Observation(NamedTuple):
    """An optical image."""

    image: np.ndarray  # (C, H, W) uint16 reflectance times 10,000, or uint8 for dn8
    cloud: np.ndarray  # (H, W) bool, true under cloud; shadows of clouds are not marked


def observe(
    land: Landscape,
    key: Key,
    bands: Sequence[str],
    units: Units = "reflectance_1e4",
    haze: float | None = None,
    cloud: float = 0.0,
) -> Observation:
    """Look at a landscape from above in sunlight.

    Surface reflectance is lit by the sun over relief, trees and houses, scaled by an illumination
    and calibration gain per scene and band, veiled by haze that grows towards the blue
    (Angstrom's law), covered by clouds, blurred, and given noise.

    Args:
        land: The landscape.
        key: Two keys are two passes over the same ground.
        bands: Names of optical bands in the order of the channels.
        units: ``reflectance_1e4`` (uint16, 0 to 16000) or ``dn8`` (uint8, stretched per scene as
            aerial products are).
        haze: Optical depth at 550 nm, 0 for none; drawn by the key when left out.
        cloud: Share of the scene under cloud, 0 to 1.

    Raises:
        EosfmError: A band is unknown or not optical.
    """
    wavelengths = _wavelengths(bands)
    rng = generator(key, "optical")
    depth = _depth(rng, haze)
    surface = _reflectance(land, wavelengths) * _sunlight(land, rng)
    surface += _glint(land, rng)
    image, mask = _clouds(_through_air(surface, wavelengths, depth, rng), rng, cloud)
    return Observation(_to_units(_sensed(image, key, bands), units, rng), mask)


def look(
    surface: np.ndarray, key: Key, bands: Sequence[str], haze: float | None = None
) -> np.ndarray:
    """Look at any surface from above, without relief, shadow or cloud, as :func:`observe` does.

    Args:
        surface: (C, H, W) float32 reflectance 0 to 1 at the bands' wavelengths.
        key: Two keys are two passes over the same surface.
        bands: Names of optical bands in the order of the channels.
        haze: Optical depth at 550 nm, 0 for none; drawn by the key when left out.

    Returns:
        (C, H, W) uint16 reflectance times 10,000.

    Raises:
        EosfmError: A band is unknown or not optical.
    """
    wavelengths = _wavelengths(bands)
    rng = generator(key, "look")
    image = _through_air(surface, wavelengths, _depth(rng, haze), rng)
    return _to_units(_sensed(image, key, bands), "reflectance_1e4", rng)


def _depth(rng: np.random.Generator, haze: float | None) -> float:
    """Optical depth of the haze: the given one, or one of clear to hazy days."""
    return rng.gamma(1.6, 0.09) if haze is None else haze


def _wavelengths(bands: Sequence[str]) -> np.ndarray:
    centres = [band(name).wavelength for name in bands]
    wrong = [name for name, centre in zip(bands, centres, strict=True) if centre is None]
    if wrong or not bands:
        optical = tuple(name for name, b in BANDS.items() if b.wavelength is not None)
        raise EosfmError(
            f"{', '.join(wrong) or 'no band'} is not optical; valid: {', '.join(optical)}"
        )
    return np.array(centres, dtype=np.float64)


def _reflectance(land: Landscape, wavelengths: np.ndarray) -> np.ndarray:
    """(C, H, W) float32 surface reflectance, flat and in full sun."""
    full, empty = spectra(wavelengths)
    brightness, redness = land.soil
    tilt = brightness * (wavelengths / 800) ** redness
    empty[:, SOIL] *= tilt[:, None].astype(np.float32)
    full[:, codes(("bare_field", "bare_soil"))] *= tilt[:, None].astype(np.float32)
    wet = land.shows(*WATER, "flood")
    mix = np.where(wet, np.clip(1 - land.turbidity + 0.5 * (land.tone - 1), 0, 1), land.vigour)
    mix = mix.astype(np.float32)
    image = np.take(empty, land.cover, axis=1)
    image += (np.take(full, land.cover, axis=1) - image) * mix
    stems = np.where(land.shows("flood"), land.vigour, 0)
    image += (full[:, code("wetland")][:, None, None] - image) * stems
    image *= land.tone
    # Soaked soil is dark, darkest in the shortwave infrared (Lobell and Asner 2002).
    depth = np.interp(wavelengths, [450, 900, 1600, 2200], [0.7, 0.9, 1.7, 2.0])
    damp = land.moisture**2 * (1 - land.vigour) * SOIL[land.cover]
    image *= np.exp(-depth.astype(np.float32)[:, None, None] * damp.astype(np.float32))
    return image


def _glint(land: Landscape, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 sun mirrored by rough water, alike in all bands; little in most scenes."""
    share = np.float32(0.06 * rng.beta(0.7, 2.5))
    gusts = 1 + 0.3 * fractal(rng, land.size, 0.3 * max(land.size), 4, 0.6)
    return share * np.clip(gusts, 0, 3) * land.shows(*WATER, "flood")


def _sunlight(land: Landscape, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 light relative to flat, open ground."""
    season = np.cos((land.doy - 172) / 365 * 2 * np.pi)
    height = np.deg2rad(np.clip(44 + 16 * season + rng.normal(0, 5), 15, 75))
    azimuth = np.deg2rad(rng.uniform(110, 250))
    east, north = np.sin(azimuth), np.cos(azimuth)  # towards the sun
    down, right = np.gradient(land.elevation, np.float32(land.gsd))
    light = 1 - np.float32(1 / np.tan(height)) * (
        right * np.float32(east) - down * np.float32(north)
    )
    light = np.clip(light, 0.25, 1.7)
    surface = land.canopy_height + land.building_height
    shade = _cast(surface, land.gsd, np.tan(height), (north, -east))
    return (light * (1 - 0.62 * shade)).astype(np.float32)


def _cast(surface: np.ndarray, gsd: float, slope: float, away: tuple[float, float]) -> np.ndarray:
    """(H, W) float32 share of each pixel in the shadow of what stands towards the sun.

    The greatest height seen towards the sun, less the sun ray's rise, is gathered by doubling
    the distance, so that long shadows cost as little as short ones.
    """
    drop = np.float32(slope * gsd)
    reach = surface.max() / drop
    ray = surface
    steps = 1
    while steps <= reach + 1:
        move = (round(away[0] * steps), round(away[1] * steps))
        ray = np.maximum(ray, shifted(ray, *move) - drop * steps)
        steps *= 2
    # A pixel's own roughness does not shade it: the ray must pass clearly above.
    return np.clip((ray - surface - 0.3) / np.float32(0.5 + 0.5 * drop), 0, 1)


def _gains(rng: np.random.Generator, wavelengths: np.ndarray) -> np.ndarray:
    """(C,) gain of the scene: a common part, a tilt over wavelength, and a part per band.

    The draws stand on a fixed grid, so that a band's gain does not depend on which others are
    asked for.
    """
    common, tilt = rng.normal(0, 0.14), rng.normal(0, 0.12)
    grid = np.array([400, 500, 560, 620, 665, 705, 740, 783, 865, 945, 1375, 1610, 2200, 2400])
    own = np.interp(wavelengths, grid, rng.normal(0, 0.08, len(grid)))
    return np.exp(common + tilt * np.log(wavelengths / 800) + own).astype(np.float32)


def _through_air(
    image: np.ndarray, wavelengths: np.ndarray, depth: float, rng: np.random.Generator
) -> np.ndarray:
    """Scale by the scene's gains, add path radiance and take away direct light.

    Water vapour dims 945 and 1375 nm.
    """
    image = image * _gains(rng, wavelengths)[:, None, None]
    optical = depth * (wavelengths / 550) ** -1.4
    path = 0.16 * (1 - np.exp(-optical)) + 0.03 * (wavelengths / 443) ** -4.0 * (depth > 0)
    through = np.exp(-0.55 * optical)
    vapour = np.where(np.abs(wavelengths - 1375) < 20, 0.004, 1.0)
    vapour = np.where(np.abs(wavelengths - 945) < 15, 0.45, vapour)
    through, path = (through * vapour).astype(np.float32), (path * vapour).astype(np.float32)
    veil = 1 + 0.25 * fractal(rng, image.shape[1:], 0.8 * max(image.shape[1:]), 2)
    image = image * through[:, None, None]
    image += path[:, None, None] * np.clip(veil, 0.2, 2)
    return image


def _clouds(
    image: np.ndarray, rng: np.random.Generator, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Bright, soft-edged clouds and their shadows; the mask is true where cloud is thick."""
    h, w = image.shape[1:]
    if share == 0:
        return image, np.zeros((h, w), dtype=bool)
    field = fractal(rng, (h, w), 0.45 * max(h, w), 7, 0.55)
    edge = np.quantile(field, 1 - share)
    mask = field > edge
    opacity = np.clip((field - edge) / np.float32(0.25) + 0.5, 0, 1)
    away = rng.uniform(0.06, 0.16, 2) * (h, w) * rng.choice([-1, 1], 2)
    shadow = shifted(opacity, round(away[0]), round(away[1]))
    image = image * (1 - 0.55 * shadow)
    top = np.float32(rng.uniform(0.55, 0.85)) * (1 + 0.05 * fractal(rng, (h, w), 0.1 * w, 4))
    return image + (top - image) * opacity * 0.95, mask


def _sensed(image: np.ndarray, key: Key, bands: Sequence[str]) -> np.ndarray:
    """Blur, and add noise by band: a floor, and a part that grows with the signal."""
    image = spread(image, _PSF)
    for channel, name in zip(image, bands, strict=True):
        rng = generator(key, "grain", name)
        floor = np.float32(rng.uniform(0.001, 0.004))
        noise = rng.standard_normal(channel.shape, dtype=np.float32)
        channel += noise * (floor + np.float32(0.012) * channel)
    return image


def _to_units(image: np.ndarray, units: Units, rng: np.random.Generator) -> np.ndarray:
    if units == "reflectance_1e4":
        return np.clip(np.rint(image * 1e4), 0, 16000).astype(np.uint16)
    # Half a common stretch, half one per band: colours are balanced, but not lost.
    low, high = (
        (np.percentile(image, p) + np.percentile(image, p, axis=(1, 2), keepdims=True)) / 2
        for p in (1, 99)
    )
    span = np.maximum((high - low) * rng.uniform(1.0, 1.35), 0.05)
    start = low - span * rng.uniform(0.02, 0.12)
    scaled = np.clip((image - start) / span, 0, 1)
    return np.rint(255 * scaled ** rng.uniform(0.7, 1.0)).astype(np.uint8)
