"""Checks whether a scene's values are plausible: in a task's units, and where all bands are 0."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eosfm.core.bands import UNITS
from eosfm.core.errors import EosfmError
from eosfm.prediction.scene import Scene

ZEROS = 0.05
"""Share of pixels that are 0 in all bands from which a note is printed."""

DARK = -200
"""Reflectance times 10,000 below which no surface is, and atmospheric correction seldom ends."""

BRIGHT = 7_000
"""Reflectance times 10,000 that only clouds and snow exceed in all bands. Landsat stores 0 as 7,273
(see :data:`eosfm.prediction.products.PRODUCTS`)."""


@dataclass(frozen=True)
class Range:
    """Plausible values of a unit.

    Attributes:
        low: The 2nd percentile of every band is at least this.
        high: The 98th percentile of every band is at most this.
        reach: The 98th percentile of the brightest band is above this.
        advice: What other unit the values may have, and what to do.
    """

    low: float
    high: float
    reach: float
    advice: str


RANGES = {
    "reflectance_1e4": Range(
        -2_000, 40_000, 100, "if it is reflectance from 0 to 1, add --scale 10000"
    ),
    "dn8": Range(0, 255, 2, "if it runs from 0 to 1, add --scale 255; if to 10,000, stretch it"),
    "dn16": Range(0, 65_535, 2, "if it runs from 0 to 1, add --scale 65535"),
    "db": Range(-100, 40, -100, "if it is linear power, take 10 log10 of it"),
    "m": Range(-500, 9_000, -500, "if it is in other units, add --scale"),
}


def check_values(scene: Scene, units: Sequence[str]) -> str:
    """Refuse a scene whose values are not plausible in its units.

    Args:
        scene: The scene, of which some windows are read.
        units: Unit of each channel.

    Returns:
        The first note of :func:`note_zeros`, :func:`note_impossible`, :func:`note_subtracted` and
        :func:`note_landsat` that is not empty.

    Raises:
        EosfmError: Values are not plausible; the message says what to do.
    """
    values = scene.sample()
    for unit in dict.fromkeys(units):
        measured = ~np.isnan(values).all(axis=1)
        slots = [slot for slot, one in enumerate(units) if one == unit and measured[slot]]
        if not slots:
            continue
        chosen = values[slots][:, ~np.isnan(values[slots]).all(axis=0)]
        low, high = np.nanpercentile(chosen, (2, 98), axis=1)
        expected = RANGES[unit]
        fits = low.min() >= expected.low and high.max() <= expected.high
        # Unscaled 8-bit values cannot be reflectance of 0 to 10,000, whichever the band.
        stored = [scene.channels[slot] for slot in slots]
        eight = np.array([c.dtype == "uint8" and c.factor == 1 for c in stored])
        stretched = unit == "reflectance_1e4" and bool((high[eight] <= 255).any())
        linear = unit == "db" and low.min() >= 0  # no backscatter is above 0 dB everywhere
        if not fits or high.max() <= expected.reach or stretched or linear:
            gaps = "if the least marks missing pixels, add it as --nodata; "
            raise EosfmError(
                f"{scene.path} has values of {low.min():.4g} to {high.max():.4g}; expected "
                f"{UNITS[unit]}; {gaps if low.min() < expected.low else ''}{expected.advice}"
            )
    notes = note_zeros(scene, values) or note_impossible(scene, values, units)
    return notes or note_subtracted(scene, values) or note_landsat(scene, values, units)


def note_impossible(scene: Scene, values: np.ndarray, units: Sequence[str]) -> str:
    """A note on one impossible value of pixels too few to refuse the scene; else empty.

    Args:
        scene: The scene.
        values: (C, N) sample of it.
        units: Unit of each channel.
    """
    for channel, own, unit in zip(scene.channels, values, units, strict=True):
        wrong = np.unique(own[(own < RANGES[unit].low) | (own > RANGES[unit].high)])
        if len(wrong) == 1:
            stored = (wrong[0] - channel.offset) / channel.factor
            return (
                f"; pixels of {scene.path} hold {stored:g}, which counts as measured: if it marks "
                "missing pixels, add it as --nodata"
            )
    return ""


def note_subtracted(scene: Scene, values: np.ndarray) -> str:
    """A note where 1,000 may have been subtracted from values without it; else empty.

    Catalogues declare it for some files of Sentinel-2 whose values are not 1,000 higher
    (https://github.com/Element84/earth-search/issues/71).

    Args:
        scene: The scene.
        values: (C, N) sample of it.
    """
    shifted = [slot for slot, one in enumerate(scene.channels) if one.offset == -1000]
    shifted = [slot for slot in shifted if not np.isnan(values[slot]).all()]
    if not shifted or (least := np.nanmedian(values[shifted], axis=1).min()) > DARK:
        return ""
    return (
        f"; half of the values of a band of {scene.path} are below {least:.0f} after 1,000 was "
        "subtracted: if its files hold no 1,000 more, add --offset 1000"
    )


def note_landsat(scene: Scene, values: np.ndarray, units: Sequence[str]) -> str:
    """A note where no reflectance is below that of clouds, as in Landsat's unscaled numbers.

    Args:
        scene: The scene.
        values: (C, N) sample of it.
        units: Unit of each channel.
    """
    slots = [slot for slot, unit in enumerate(units) if unit == "reflectance_1e4"]
    slots = [slot for slot in slots if not np.isnan(values[slot]).all()]
    if not slots or np.nanpercentile(values[slots], 2, axis=1).min() < BRIGHT:
        return ""
    return (
        f"; nearly all of {scene.path} has a reflectance above {BRIGHT / 1e4:g}: if it is no cloud "
        "or snow, but Landsat as stored, add --scale 0.275 --offset -2000"
    )


def note_zeros(scene: Scene, values: np.ndarray) -> str:
    """A note on pixels that are 0 in all bands, if many are and nothing marks them; else empty.

    Args:
        scene: The scene.
        values: (C, N) sample of it.
    """
    stored = np.array([[channel.offset] for channel in scene.channels], np.float32)  # of a 0
    share = (values == stored).all(axis=0).mean()
    if share < ZEROS or any(channel.mask is not None for channel in scene.channels):
        return ""
    silent = all(channel.nodata is None for channel in scene.channels)
    cure = "give --nodata 0" if silent else "run gdal_edit.py -a_nodata 0 on its files"
    return (
        f"; about {share:.0%} of the pixels of {scene.path} are 0 in all bands and count as "
        f"measured: if they are not, {cure}"
    )


def note_missing(share: float) -> str:
    """A note on the share of pixels that were not measured; empty where all were."""
    if not share:
        return ""
    rounded = "under 1%" if share < 0.005 else "over 99%" if 0.995 <= share < 1 else f"{share:.0%}"
    return f"; {rounded} without a measurement"
