"""What an optical sensor sees of a landscape."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from eosfm.core.bands import BANDS, band
from eosfm.core.errors import EosfmError
from eosfm.datasets.native.sentinel2 import STEP
from eosfm.simulation.clouds import Clouds, draw_clouds
from eosfm.simulation.covers import SOIL, WATER, code, codes, spectra
from eosfm.simulation.grid import average, shifted, spread
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key, fractal, generator
from eosfm.simulation.sky import FLIGHTS, OVERPASS, Sky, draw_sky

Units = Literal["reflectance_1e4", "dn8"]
Product = Literal["toa", "rhorc", "surface"]
"""Top of atmosphere; corrected for the scattering of the air's molecules and for water vapour;
corrected for the aerosol as well."""

_PSF = 0.16  # of the light on the neighbour: a modulation transfer near 0.35 at Nyquist

# Signal to noise of Sentinel-2 in orbit (Gascon et al. 2017, doi:10.3390/rs9060584), rounded,
# and of cameras with small pixels.
_SNR = {
    "B01": 1100, "B02": 200, "B03": 220, "B04": 210, "B05": 230, "B06": 200, "B07": 210,
    "B08": 200, "B8A": 150, "B09": 180, "B10": 350, "B11": 160, "B12": 160,
}  # fmt: skip
_SMALL_PIXEL_SNR = 70
_REFERENCE = 0.15  # reflectance at which the ratio above holds


class Observation(NamedTuple):
    """An optical image."""

    image: np.ndarray  # (C, H, W) uint16 reflectance times 10,000, or uint8 for dn8
    cloud: np.ndarray  # (H, W) bool, true under cloud; shadows of clouds are not marked


def observe(
    land: Landscape,
    key: Key,
    bands: Sequence[str],
    units: Units = "reflectance_1e4",
    cloud: float = 0.0,
    region: str = "temperate",
    product: Product = "toa",
    camera: float | None = None,
) -> Observation:
    """Look at a landscape from above in sunlight.

    Surface reflectance is lit by the sun over relief, trees, houses and below clouds, seen through
    the air, under clouds, blurred, and given noise; products of a higher level are then corrected
    for the air as far as it is known.

    Args:
        land: The landscape.
        key: Two keys are two passes over the same ground.
        bands: Names of optical bands in the order of the channels.
        units: ``reflectance_1e4`` (uint16, 0 to 16000) or ``dn8`` (uint8, surface reflectance
            stretched per scene as aerial products are).
        cloud: Share of the scene under cloud, 0 to 1.
        region: One of :data:`eosfm.simulation.sky.REGIONS`: its sun and its air.
        product: Level of atmospheric correction; ignored for ``dn8``.
        camera: Metres of the camera's pixels, a multiple of the landscape's; left out, the same.

    Raises:
        EosfmError: A band is unknown, not optical or not part of the product, or the region is
            unknown.
    """
    if units == "dn8":
        product, hours = "surface", FLIGHTS
    else:
        hours = OVERPASS
    wavelengths = _wavelengths(bands, product)
    rng = generator(key, "optical")
    sky = draw_sky(rng, land.doy, region, hours)
    surface = _reflectance(land, wavelengths) * _sunlight(land, sky)
    surface += _glint(land, rng)
    over = draw_clouds(rng, land.size, land.gsd, sky, cloud) if cloud else None
    image = _at_sensor(surface, wavelengths, sky, over, rng)
    mask = over.mask if over else np.zeros(land.size, dtype=bool)
    gsd = camera or land.gsd
    if finer := round(gsd / land.gsd) - 1:
        image, mask = average(image, 1 + finer), average(mask, 1 + finer) >= 0.5
    image = _corrected(_sensed(image, key, bands, gsd), wavelengths, sky, product, rng)
    return Observation(_to_units(image, units, rng), mask)


def look(
    surface: np.ndarray,
    key: Key,
    bands: Sequence[str],
    region: str = "temperate",
    product: Product = "toa",
) -> np.ndarray:
    """Look at any surface from above, without relief, shadow or cloud, as :func:`observe` does.

    Args:
        surface: (C, H, W) float32 reflectance 0 to 1 at the bands' wavelengths.
        key: Two keys are two passes over the same surface.
        bands: Names of optical bands in the order of the channels.
        region: One of :data:`eosfm.simulation.sky.REGIONS`: its sun and its air.
        product: What the air's part in the reflectance is.

    Returns:
        (C, H, W) uint16 reflectance times 10,000.

    Raises:
        EosfmError: A band is unknown, not optical or not part of the product, or the region is
            unknown.
    """
    wavelengths = _wavelengths(bands, product)
    rng = generator(key, "look")
    sky = draw_sky(rng, rng.uniform(1, 366), region)
    image = _sensed(_at_sensor(surface, wavelengths, sky, None, rng), key, bands, 10.0)
    return _to_units(_corrected(image, wavelengths, sky, product, rng), "reflectance_1e4", rng)


def _wavelengths(bands: Sequence[str], product: Product) -> np.ndarray:
    centres = [band(name).wavelength for name in bands]
    wrong = [name for name, centre in zip(bands, centres, strict=True) if centre is None]
    if wrong or not bands:
        optical = tuple(name for name, b in BANDS.items() if b.wavelength is not None)
        raise EosfmError(
            f"{', '.join(wrong) or 'no band'} is not optical; valid: {', '.join(optical)}"
        )
    if product != "toa" and "B10" in bands:
        raise EosfmError(
            f"B10 sees no ground, so a {product} product has no such band; leave it out"
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
    # Soaked soil is dark, darkest in the shortwave infrared (Lobell and Asner 2002).
    depth = np.interp(wavelengths, [450, 900, 1600, 2200], [0.7, 0.9, 1.7, 2.0])
    flood = land.shows("flood")
    soaked = full[:, code("bare_field")] * np.exp(-depth).astype(np.float32)
    image += (soaked[:, None, None] - image) * np.where(flood, 1 - land.moisture, 0)
    stems = np.where(flood, land.vigour, 0)
    image += (full[:, code("wetland")][:, None, None] - image) * stems
    image *= land.tone
    damp = land.moisture**2 * (1 - land.vigour) * SOIL[land.cover]
    image *= np.exp(-depth.astype(np.float32)[:, None, None] * damp.astype(np.float32))
    return image


def _glint(land: Landscape, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 sun mirrored by rough water, alike in all bands; little in most scenes."""
    share = np.float32(0.06 * rng.beta(0.7, 2.5))
    gusts = 1 + 0.3 * fractal(rng, land.size, 0.3 * max(land.size), 4, 0.6)
    return share * np.clip(gusts, 0, 3) * land.shows(*WATER, "flood")


def _sunlight(land: Landscape, sky: Sky) -> np.ndarray:
    """(H, W) float32 light relative to flat, open ground."""
    height = sky.height
    east, north = np.sin(sky.azimuth), np.cos(sky.azimuth)  # towards the sun
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

    The first two stand for the directions of sun and sensor (Roy et al. 2016,
    doi:10.1016/j.rse.2016.01.023), the third for the calibration, good to about two per cent
    (Gascon et al. 2017, doi:10.3390/rs9060584). The draws stand on a fixed grid, so that a band's
    gain does not depend on which others are asked for.
    """
    common, tilt = rng.normal(0, 0.12), rng.normal(0, 0.05)
    grid = np.array([400, 500, 560, 620, 665, 705, 740, 783, 865, 945, 1375, 1610, 2200, 2400])
    own = np.interp(wavelengths, grid, rng.normal(0, 0.02, len(grid)))
    return np.exp(common + tilt * np.log(wavelengths / 800) + own).astype(np.float32)


def _at_sensor(
    surface: np.ndarray,
    wavelengths: np.ndarray,
    sky: Sky,
    clouds: Clouds | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Reflectance at the top of the atmosphere, (C, H, W) float32."""

    def column(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)[:, None, None]

    size = surface.shape[1:]
    image = surface * column(_gains(rng, wavelengths) * sky.through(wavelengths))
    if clouds:  # the ground in their shadow is left the light of the sky, and of other clouds
        image *= 1 - column(0.72 * sky.direct(wavelengths)) * clouds.shade
    molecules, aerosol = (column(part) for part in sky.path(wavelengths))
    # Haze drifts in veils.
    veil = 1 + 0.25 * fractal(rng, size, 0.8 * max(size), 2)
    image += molecules + aerosol * np.clip(veil, 0.2, 2)
    image *= column(sky.dried(wavelengths))
    if clouds:
        seen = clouds.colour(wavelengths) * sky.dried(wavelengths, above=clouds.height)
        top = clouds.top * column(seen)
        image += (top - image) * clouds.opacity
    return image


def _corrected(
    image: np.ndarray,
    wavelengths: np.ndarray,
    sky: Sky,
    product: Product,
    rng: np.random.Generator,
) -> np.ndarray:
    """Take the air away again, as far as it is known.

    Molecules are known; the aerosol's depth is estimated with the error of common processors, and
    as one for the scene, so that veils remain (Doxani et al. 2018, doi:10.3390/rs10020352).
    """
    if product == "toa":
        return image
    guess = max(sky.depth + rng.normal(0, 0.02 + 0.25 * sky.depth), 0.0)
    vapour = sky.vapour * rng.normal(1, 0.06)
    known = replace(sky, depth=guess if product == "surface" else 0.0, vapour=vapour)
    through = known.through(wavelengths) * known.dried(wavelengths)
    path = sum(known.path(wavelengths)) * known.dried(wavelengths)
    path, through = (part.astype(np.float32)[:, None, None] for part in (path, through))
    return (image - path) / through


def _sensed(image: np.ndarray, key: Key, bands: Sequence[str], gsd: float) -> np.ndarray:
    """Blur, and add noise by band: that of the camera, and that of the light itself.

    On Sentinel-2's 10 m grid, bands of 20 and 60 m get more noise, by as much as averaging their
    blocks later takes away.
    """
    image = spread(image, _PSF)
    for channel, name in zip(image, bands, strict=True):
        rng = generator(key, "grain", name)
        noise = rng.standard_normal(channel.shape, dtype=np.float32)
        worst = np.float32(_REFERENCE / _SNR.get(name, _SMALL_PIXEL_SNR))
        worst *= STEP.get(name, 1) if gsd <= 10 else 1
        channel += noise * worst * np.sqrt(0.3 + 0.7 * np.maximum(channel, 0) / _REFERENCE)
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
