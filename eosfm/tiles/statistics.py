"""Per-band mean and standard deviation of a stream of tiles, and which pixels were measured."""

import numpy as np

from eosfm.errors import EosfmError


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


class BandStatistics:
    """Count, mean and standard deviation per band, tile by tile, in float64.

    Each tile's mean and sum of squared deviations are merged into the running ones by the
    pairwise update of Chan, Golub and LeVeque (1983), which does not cancel.
    """

    def __init__(self, bands: tuple[str, ...]) -> None:
        self.bands = bands
        self.pixels = 0
        self.count = np.zeros(len(bands))
        self.mean = np.zeros(len(bands))
        self.deviation = np.zeros(len(bands))

    def update(self, image: np.ndarray, missing: np.ndarray) -> None:
        """Add a tile.

        Args:
            image: (T, C, h, w) without padding.
            missing: (T, h, w), True where no band was measured. NaN is left out band by band.
        """
        has_nan = image.dtype.kind == "f" and bool(np.isnan(image).any())
        if missing.any() or has_nan:
            keep = ~missing
            for band in range(len(self.bands)):
                values = image[:, band][keep].astype(np.float64)
                self._merge(band, values[~np.isnan(values)] if has_nan else values)
        else:
            for band in range(len(self.bands)):
                self._merge(band, image[:, band].astype(np.float64).ravel())
        self.pixels += missing.size

    def _merge(self, band: int, values: np.ndarray) -> None:
        """Merge one band's values, a float64 vector of its own, which is overwritten."""
        if not values.size:
            return
        mean = values.mean()
        values -= mean
        total = self.count[band] + values.size
        step = mean - self.mean[band]
        self.deviation[band] += np.einsum("i,i->", values, values)
        self.deviation[band] += step * step * self.count[band] * values.size / total
        self.mean[band] += step * values.size / total
        self.count[band] = total

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
            std = float(np.sqrt(self.deviation[position] / count))
            if not std > 0:
                raise EosfmError(
                    f"{dataset}: band {band} is {self.mean[position]:g} in every training pixel; "
                    "expected it to vary; check the files of this band"
                )
            result["mean"][band] = float(self.mean[position])
            result["std"][band] = std
            result["valid"][band] = float(count / self.pixels)
        return result
