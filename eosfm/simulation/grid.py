"""Pixel grids: where pixels lie, and how a sensor averages and blurs them."""

import numpy as np

from eosfm.datasets.native.sentinel2 import STEP


def coordinates(size: tuple[int, int], gsd: float) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) float32 metres east and south of the middle of a grid."""
    south, east = (
        (np.arange(length, dtype=np.float32) - (length - 1) / 2) * np.float32(gsd)
        for length in size
    )
    x, y = np.meshgrid(east, south)
    return x, y


def average(image: np.ndarray, step: int) -> np.ndarray:
    """Mean of each ``step`` by ``step`` block of the last two axes.

    Where the right or lower edge cuts a block, the edge is repeated.
    """
    *rest, h, w = image.shape
    edges = [(0, 0)] * len(rest) + [(0, -h % step), (0, -w % step)]
    blocks = np.pad(image, edges, mode="edge").reshape(*rest, -(-h // step), step, -1, step)
    return blocks.mean(axis=(-3, -1), dtype=np.float32)


def shifted(image: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """``image[..., i - rows, j - cols]``; the border is repeated outwards."""
    h, w = image.shape[-2:]
    moved = np.take(image, np.arange(h) - rows, axis=-2, mode="clip")
    return np.take(moved, np.arange(w) - cols, axis=-1, mode="clip")


def spread(image: np.ndarray, share: float) -> np.ndarray:
    """Mix neighbours along both axes: ``share`` of the light falls on each side's neighbour."""
    for rows, cols in ((1, 0), (0, 1)):
        neighbours = shifted(image, rows, cols) + shifted(image, -rows, -cols)
        image = image * np.float32(1 - 2 * share) + neighbours * np.float32(share)
    return image


def resampled(image: np.ndarray, bands: tuple[str, ...]) -> np.ndarray:
    """Give Sentinel-2's bands of 20 m and 60 m their pixels, repeated at 10 m without a shift.

    The image (C, H, W) was simulated at 10 m; its shape and dtype stay. Pixels that the right or
    lower edge cuts see the edge repeated.
    """
    h, w = image.shape[-2:]
    channels = []
    for channel, name in zip(image, bands, strict=True):
        mean = average(channel, STEP[name])
        if image.dtype.kind == "u":
            mean = np.rint(mean)
        fine = mean.astype(image.dtype).repeat(STEP[name], axis=0).repeat(STEP[name], axis=1)
        channels.append(fine[:h, :w])
    return np.stack(channels)
