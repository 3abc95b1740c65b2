"""Per-band mean and standard deviation of a stream of tiles, and which pixels were measured."""

from collections.abc import Mapping, Sequence

import numpy as np

from eosfm.core.bands import UNITS
from eosfm.core.errors import EosfmError

PLAUSIBLE: dict[str, tuple[float, float, float]] = {
    "reflectance_1e4": (-2_000, 20_000, 3),
    "dn8": (0, 255, 2),
    "dn16": (0, 65_535, 2),
    "db": (-100, 20, -100),
    "m": (-500, 9_000, -500),
}
"""Of each unit, the lowest and highest mean of a band, and what its mean and three standard
deviations exceed: values from 0 to 1 do not where 0 to 10,000 or to 255 is declared."""


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
"""Values converted to float64 at a time: 256 KiB, which stays in the processor's cache."""


class BandStatistics:
    """Count, mean and standard deviation per band, tile by tile, in float64.

    Sums are taken of the values' distance from a first estimate of the mean, so that the
    variance does not cancel (Chan, Golub and LeVeque 1983, shifted data).
    """

    def __init__(self, bands: tuple[str, ...]) -> None:
        self.bands = bands
        self.pixels = 0
        self.count = np.zeros(len(bands))
        self.shift = np.full(len(bands), np.nan)
        self.sums = np.zeros(len(bands))
        self.squares = np.zeros(len(bands))
        self._scratch = np.empty(CHUNK)

    def update(self, image: np.ndarray, missing: np.ndarray) -> None:
        """Add a tile.

        Args:
            image: (T, C, h, w) without padding.
            missing: (T, h, w), True where no band was measured. NaN is left out band by band.
        """
        has_nan = image.dtype.kind == "f" and bool(np.isnan(image).any())
        keep = ~missing if missing.any() else None
        for band in range(len(self.bands)):
            values = image[:, band].ravel() if keep is None else image[:, band][keep]
            self._add(band, values[~np.isnan(values)] if has_nan else values)
        self.pixels += missing.size

    def _add(self, band: int, values: np.ndarray) -> None:
        if values.size and np.isnan(self.shift[band]):
            self.shift[band] = values.mean(dtype=np.float64)
        self.count[band] += values.size
        for start in range(0, values.size, CHUNK):
            part = values[start : start + CHUNK]
            distance = np.subtract(part, self.shift[band], out=self._scratch[: part.size])
            self.sums[band] += distance.sum()
            self.squares[band] += np.einsum("i,i->", distance, distance)

    def moments(self, position: int) -> tuple[float, float]:
        """Mean and standard deviation of the band at a position, of which something was added."""
        distance = self.sums[position] / self.count[position]
        std = np.sqrt(max(0.0, self.squares[position] / self.count[position] - distance**2))
        return float(self.shift[position] + distance), float(std)

    def summary(self, dataset: str) -> dict[str, dict[str, float]]:
        """``mean``, ``std`` and ``valid`` (share of pixels measured), each by band name.

        Raises:
            EosfmError: A band was never measured, or is the same everywhere.
        """
        result: dict[str, dict[str, float]] = {"mean": {}, "std": {}, "valid": {}}
        for position, band in enumerate(self.bands):
            count = self.count[position]
            if not count:
                raise EosfmError(
                    f"{dataset}: band {band} has no measured pixel in the training split; expected "
                    "some; check the files of this band and the dataset's nodata value"
                )
            mean, std = self.moments(position)
            if not std > 1e-12 * abs(mean):
                raise EosfmError(
                    f"{dataset}: band {band} is {mean:g} in every training pixel; expected it to "
                    "vary; check the files of this band"
                )
            result["mean"][band] = mean
            result["std"][band] = std
            result["valid"][band] = float(count / self.pixels)
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
    for band, unit in zip(bands, units, strict=True):
        low, high, reach = PLAUSIBLE[unit]
        if not low <= mean[band] <= high or mean[band] + 3 * std[band] <= reach:
            raise EosfmError(
                f"{dataset}: band {band} has mean {mean[band]:.4g} and standard deviation "
                f"{std[band]:.4g} in training; expected {UNITS[unit]}; check the unit of its files"
            )
