"""How products that bring all of Sentinel-2's bands to 10 m look."""

import numpy as np

from eosfm.datasets.native.sentinel2 import STEP


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
