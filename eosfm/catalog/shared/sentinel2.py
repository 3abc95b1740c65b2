"""Sentinel-2's pixel sizes, and how products that bring all bands to 10 m look."""

import numpy as np

STEP = {
    "B01": 6,
    "B02": 1,
    "B03": 1,
    "B04": 1,
    "B05": 2,
    "B06": 2,
    "B07": 2,
    "B08": 1,
    "B8A": 2,
    "B09": 6,
    "B10": 6,
    "B11": 2,
    "B12": 2,
}
"""Pixel size of each band as a multiple of 10 m (ESA Sentinel-2 MSI user guide)."""


def resampled(image: np.ndarray, bands: tuple[str, ...]) -> np.ndarray:
    """Blur the bands of 20 m and 60 m pixels as interpolation to 10 m leaves them.

    Args:
        image: (C, H, W) simulated at 10 m.
        bands: Names of its channels.

    Returns:
        The same shape and dtype.
    """
    from scipy.ndimage import uniform_filter

    return np.stack(
        [uniform_filter(channel, STEP[name]) for channel, name in zip(image, bands, strict=True)]
    )
