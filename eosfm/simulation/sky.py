"""The sun and the air over a scene: where the light comes from, and what the air makes of it."""

from dataclasses import dataclass

import numpy as np

from eosfm.core.errors import EosfmError, suggest

_TILT = 23.44  # degrees between the earth's axis and the normal of its orbit
_SCALE_HEIGHT = 2.0  # km by which water vapour thins to a third

OVERPASS = (10.1, 10.9)
"""Local solar time of satellites that look at land."""

FLIGHTS = (10.0, 14.0)
"""Local solar time of aircraft that do."""


@dataclass(frozen=True)
class Region:
    """A part of the world; ranges are least and greatest.

    Aerosol depths are near the means of Dubovik et al. 2002
    (doi:10.1175/1520-0469(2002)059<0590:VOAAOP>2.0.CO;2) for like places, Angstrom's exponents
    within their ranges.
    """

    latitude: tuple[float, float]  # degrees north
    depth: float  # mean optical depth of the aerosol at 550 nm
    exponent: tuple[float, float]  # Angstrom's, of the aerosol: low for dust and salt
    vapour: tuple[float, float]  # precipitable water in cm


REGIONS: dict[str, Region] = {
    "temperate": Region((36, 58), 0.14, (1.1, 1.7), (0.7, 2.8)),
    "boreal": Region((60, 66), 0.08, (1.2, 1.8), (0.3, 1.8)),
    "dry west": Region((33, 46), 0.16, (1.3, 2.0), (0.4, 1.6)),  # smoke of late summer
    "east asia": Region((22, 40), 0.45, (0.9, 1.4), (0.8, 4.0)),
    "sahel": Region((4, 14), 0.38, (0.2, 0.8), (1.2, 4.5)),
    "tropics": Region((-8, 16), 0.3, (1.2, 1.9), (3.0, 5.5)),
    "southern": Region((-36, -14), 0.1, (0.6, 1.5), (0.8, 3.0)),
    "ocean": Region((-30, 42), 0.09, (0.2, 0.9), (1.5, 4.5)),
}
"""Where scenes may lie. Phenology and land are the recipe's; sun and air come from here."""


@dataclass(frozen=True)
class Sky:
    """Sun and air of one scene."""

    height: float  # of the sun above the horizon, radians
    azimuth: float  # of the sun, radians clockwise from north
    depth: float  # optical depth of the aerosol at 550 nm
    exponent: float  # Angstrom's, of the aerosol
    vapour: float  # precipitable water in cm

    def aerosol(self, wavelengths: np.ndarray) -> np.ndarray:
        """(C,) optical depth of the aerosol (Angstrom's law) at wavelengths in nm."""
        return self.depth * (wavelengths / 550) ** -self.exponent

    def rayleigh(self, wavelengths: np.ndarray) -> np.ndarray:
        """(C,) optical depth of the air's molecules (Hansen and Travis 1974, their eq. 2.30)."""
        micron = wavelengths / 1000
        return 0.008569 * micron**-4 * (1 + 0.0113 * micron**-2)

    def path(self, wavelengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reflectance of the air alone, (C,) each: of its molecules and of its aerosol.

        Light is scattered once (Vermote et al. 1997, doi:10.1109/36.581987), seen from the zenith.
        """
        cosine = np.sin(self.height)
        angle = np.pi / 2 + self.height  # between the sun's rays and those towards the sensor
        of_molecules = 0.75 * (1 + np.cos(angle) ** 2)
        forward = 0.65  # asymmetry of the aerosol's scattering (Henyey and Greenstein 1941)
        of_aerosol = (1 - forward**2) / (1 + forward**2 - 2 * forward * np.cos(angle)) ** 1.5
        return (
            of_molecules * self.rayleigh(wavelengths) / (4 * cosine),
            0.93 * of_aerosol * self.aerosol(wavelengths) / (4 * cosine),
        )

    def through(self, wavelengths: np.ndarray) -> np.ndarray:
        """(C,) share of the light that comes down to the ground and up again, scattered or not."""
        lost = 0.5 * self.rayleigh(wavelengths) + 0.16 * self.aerosol(wavelengths)
        return np.exp(-lost * (1 / np.sin(self.height) + 1))

    def direct(self, wavelengths: np.ndarray) -> np.ndarray:
        """(C,) share of the light on the ground that comes straight from the sun."""
        met = self.rayleigh(wavelengths) + 0.85 * self.aerosol(wavelengths)
        lost = 0.5 * self.rayleigh(wavelengths) + 0.16 * self.aerosol(wavelengths)
        return np.exp((lost - met) / np.sin(self.height))

    def dried(self, wavelengths: np.ndarray, above: float = 0.0) -> np.ndarray:
        """(C,) share of the light that water vapour above a height in km lets through.

        It absorbs around 945 and, far more, around 1375 nm, where no ground is seen through
        moist air, but ice clouds are, which lie above nearly all of it (Gao et al. 1993,
        doi:10.1029/93GL00106).
        """
        column = self.vapour * np.exp(-above / _SCALE_HEIGHT) * (1 / np.sin(self.height) + 1)
        strength = np.where(np.abs(wavelengths - 945) < 15, 0.7, 0.0)
        strength = np.where(np.abs(wavelengths - 1375) < 20, 4.0, strength)
        return np.exp(-strength * np.sqrt(column))


def sun(doy: float, latitude: float, hour: float) -> tuple[float, float]:
    """Height above the horizon and azimuth clockwise from north of the sun, in radians.

    Args:
        doy: Day of the year.
        latitude: Degrees north.
        hour: Local solar time.
    """
    # Cooper 1969 (doi:10.1016/0038-092X(69)90047-4).
    declination = np.deg2rad(_TILT) * np.sin(2 * np.pi * (284 + doy) / 365)
    place, turn = np.deg2rad(latitude), np.deg2rad(15 * (hour - 12))
    east = -np.cos(declination) * np.sin(turn)
    north = np.cos(place) * np.sin(declination) - np.sin(place) * np.cos(declination) * np.cos(turn)
    up = np.sin(place) * np.sin(declination) + np.cos(place) * np.cos(declination) * np.cos(turn)
    return float(np.arcsin(up)), float(np.arctan2(east, north) % (2 * np.pi))


def draw_sky(
    rng: np.random.Generator,
    doy: float,
    region: str = "temperate",
    hours: tuple[float, float] = OVERPASS,
) -> Sky:
    """Draw the sky over a scene.

    Args:
        rng: Randomness.
        doy: Day of the year.
        region: One of :data:`REGIONS`.
        hours: Local solar time, earliest and latest.

    Raises:
        EosfmError: The region is unknown.
    """
    if region not in REGIONS:
        raise EosfmError(f"unknown region {region!r}; {suggest(region, tuple(REGIONS))}")
    there = REGIONS[region]
    height, azimuth = sun(doy, rng.uniform(*there.latitude), rng.uniform(*hours))
    return Sky(
        # Nobody takes pictures by a sun that is lower than this.
        height=max(height, np.deg2rad(15)),
        azimuth=azimuth,
        depth=rng.gamma(1.8, there.depth / 1.8),
        exponent=rng.uniform(*there.exponent),
        vapour=rng.uniform(*there.vapour),
    )
