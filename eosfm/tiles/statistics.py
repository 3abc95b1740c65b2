"""Per-band mean and standard deviation of a stream of tiles, and which pixels were measured."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eosfm.core.bands import UNITS
from eosfm.core.errors import EosfmError

PLAUSIBLE: dict[str, tuple[float, float, float]] = {
    "reflectance_1e4": (-2_000, 10_000, 3),
    "dn8": (0, 255, 2),
    "dn16": (0, 65_535, 2),
    "db": (-100, 20, -100),
    "m": (-500, 9_000, -500),
}
"""Plausible bands, by unit: (lowest mean, highest mean, bound that mean + 3 std exceeds). The last
detects values from 0 to 1 where 0 to 10,000 or 0 to 255 is declared."""


def unmeasured(image: np.ndarray, nodata: float | None) -> np.ndarray:
    """Where no band was measured: every band is nodata or NaN.

    Args:
        image: (..., C, h, w).
        nodata: Value that means "not measured" when all bands have it; None where there is none.

    Returns:
        (..., h, w) bool.
    """
    # A pixel counts only if its first band does: most tiles need a look at that one alone.
    first = _missing(image[..., 0, :, :], nodata)
    return np.asarray(_missing(image, nodata).all(axis=-3)) if first.any() else first


def unmeasured_among(
    image: np.ndarray, used: Sequence[int] | slice, nodata: float | None
) -> np.ndarray:
    """Where nothing was measured for those who use some of a group's bands.

    That is where :func:`unmeasured` says so of the group, or the bands in use are NaN.

    Args:
        image: (..., C, h, w), all bands of the group.
        used: Positions of the bands in use.
        nodata: As of :func:`unmeasured`.

    Returns:
        (..., h, w) bool.
    """
    missing = unmeasured(image, nodata)
    if image.dtype.kind == "f":
        missing |= unmeasured(image[..., used, :, :], None)
    return missing


def _missing(values: np.ndarray, nodata: float | None) -> np.ndarray:
    if values.dtype.kind == "f":
        missing = np.isnan(values)
        if nodata is not None:
            missing |= values == nodata
        return np.asarray(missing)
    if nodata is None or not float(nodata).is_integer():
        return np.zeros(values.shape, bool)
    # Compare integers: with a float, numpy would convert the whole image first.
    return np.asarray(values == int(nodata))


CHUNK = 2**15
"""Values converted to float64 at a time: 256 KiB, which stay in the processor's cache."""

LONG_CHUNK = 2**17
"""Integers converted at a time: their squares add up below 2**53, so that float64 is exact."""


class BandStatistics:
    """Count, mean and standard deviation per band, tile by tile.

    Integers of up to 16 bits are summed exactly. Sums of others, in float64, are taken of the
    values' distance from a first estimate of the mean, so that the variance does not cancel (Chan,
    Golub and LeVeque 1983, shifted data).
    """

    def __init__(self, bands: tuple[str, ...]) -> None:
        self.bands = bands
        self.pixels = 0
        self.count = np.zeros(len(bands))
        self.shift = np.full(len(bands), np.nan)
        self.sums: list[float] = [0] * len(bands)
        self.squares: list[float] = [0] * len(bands)
        self._scratch = np.empty(LONG_CHUNK)

    def update(self, image: np.ndarray, missing: np.ndarray) -> None:
        """Add a tile.

        Args:
            image: (T, C, h, w) without padding, in one dtype for all tiles.
            missing: (T, h, w), True where no band was measured. NaN is left out band by band.
        """
        has_nan = image.dtype.kind == "f" and bool(np.isnan(image).any())
        keep = ~missing if missing.any() else None
        add = self._add_whole if image.dtype.kind != "f" and image.itemsize < 4 else self._add
        for band in range(len(self.bands)):
            values = image[:, band].ravel() if keep is None else image[:, band][keep]
            add(band, values[~np.isnan(values)] if has_nan else values)
        self.pixels += missing.size

    def _add(self, band: int, values: np.ndarray) -> None:
        if values.size and np.isnan(self.shift[band]):
            self.shift[band] = values.mean(dtype=np.float64)
        self.count[band] += values.size
        for start in range(0, values.size, CHUNK):
            part = values[start : start + CHUNK]
            distance = np.subtract(part, self.shift[band], out=self._scratch[: part.size])
            self.sums[band] += float(distance.sum())
            self.squares[band] += float(np.einsum("i,i->", distance, distance))

    def _add_whole(self, band: int, values: np.ndarray) -> None:
        self.shift[band] = 0.0
        self.count[band] += values.size
        for start in range(0, values.size, LONG_CHUNK):
            part = values[start : start + LONG_CHUNK]
            numbers = self._scratch[: part.size]
            np.copyto(numbers, part)
            self.sums[band] += int(numbers.sum())
            self.squares[band] += int(numbers @ numbers)

    def moments(self, position: int) -> tuple[float, float]:
        """Mean and standard deviation of the band at a position, of which something was added."""
        count, total = int(self.count[position]), self.sums[position]
        # Of integers, Python's own give the exact variance, rounded once.
        variance = (count * self.squares[position] - total * total) / (count * count)
        return float(self.shift[position] + total / count), max(0.0, variance) ** 0.5

    def summary(self) -> dict[str, Any]:
        """What is known of the bands, each by name.

        ``mean`` and ``std`` of those that vary, ``valid`` (share of pixels measured) of all, and
        ``faults``: what is wrong with the others, in words.
        """
        result: dict[str, Any] = {"mean": {}, "std": {}, "valid": {}, "faults": {}}
        for position, band in enumerate(self.bands):
            count = self.count[position]
            result["valid"][band] = float(count / self.pixels)
            if not count:
                result["faults"][band] = "was measured in no training pixel"
                continue
            mean, std = self.moments(position)
            if std > 1e-12 * abs(mean):
                result["mean"][band], result["std"][band] = mean, std
            else:
                result["faults"][band] = f"is {mean:g} in every training pixel"
        return result


def check_units(
    dataset: str,
    bands: Sequence[str],
    units: Sequence[str],
    mean: Mapping[str, float],
    std: Mapping[str, float],
) -> None:
    """Refuse bands whose training pixels cannot be of the unit that the dataset declares.

    Raises:
        EosfmError: The first of them.
    """
    told = [pair for pair in zip(bands, units, strict=True) if pair[0] in mean]  # no faulty ones
    # No backscatter is above 0 dB on average, though VV minus VH is.
    linear = min((mean[band] for band, unit in told if unit == "db"), default=-1) >= 0
    for band, unit in told:
        low, high, reach = PLAUSIBLE[unit]
        beyond = not low <= mean[band] <= high or (linear and unit == "db")
        if beyond or mean[band] + 3 * std[band] <= reach:
            raise EosfmError(
                f"{dataset}: band {band} has mean {mean[band]:.4g} and standard deviation "
                f"{std[band]:.4g} in training; expected {UNITS[unit]}; check the unit of its files"
            )
