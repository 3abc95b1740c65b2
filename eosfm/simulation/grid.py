"""From the landscape's grid to a sensor's: averaging and point spread."""

import numpy as np

from eosfm.core.errors import EosfmError


def reduction(size: tuple[int, int], land_gsd: float, gsd: float | None) -> int:
    """How many landscape pixels, along a side, make a sensor pixel.

    Raises:
        EosfmError: The sensor's pixel is no multiple of the landscape's, or does not fill it.
    """
    if gsd is None:
        return 1
    ratio = gsd / land_gsd
    factor = round(ratio)
    if factor < 1 or abs(ratio - factor) > 1e-6 * ratio:
        raise EosfmError(
            f"gsd {gsd} m over a landscape of {land_gsd} m; give a whole multiple of that"
        )
    if size[0] % factor or size[1] % factor:
        raise EosfmError(
            f"landscape of {size[0]} x {size[1]} pixels does not fill pixels of {factor} x "
            f"{factor}; draw it a multiple of {factor} large"
        )
    return factor


def average(image: np.ndarray, factor: int) -> np.ndarray:
    """Mean of each ``factor`` by ``factor`` block of the last two axes."""
    if factor == 1:
        return image
    *rest, h, w = image.shape
    blocks = image.reshape(*rest, h // factor, factor, w // factor, factor)
    return blocks.mean(axis=(-3, -1), dtype=np.float32)


def spread(image: np.ndarray, share: float) -> np.ndarray:
    """Mix neighbours along both axes: ``share`` of the light falls on each side's neighbour."""
    for axis in (-2, -1):
        pad = [(0, 0)] * image.ndim
        pad[axis] = (1, 1)
        wide = np.pad(image, pad, mode="edge")
        n = image.shape[axis]
        before, after = (np.take(wide, range(k, k + n), axis=axis) for k in (0, 2))
        image = image * np.float32(1 - 2 * share) + (before + after) * np.float32(share)
    return image


def shifted(image: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """``image[i - rows, j - cols]``; the border is repeated outwards."""
    h, w = image.shape
    r = np.clip(np.arange(h) - rows, 0, h - 1)
    c = np.clip(np.arange(w) - cols, 0, w - 1)
    return image[r][:, c]
