"""Per-band mean and standard deviation of a stream of tiles, and which pixels were measured."""

from typing import Any

import numpy as np


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
