"""Image files of a simulated copy, written: GeoTIFF, plain TIFF, PNG, JPEG."""

from pathlib import Path
from typing import Any

import numpy as np

from eosfm.datasets.native.gdal import expect_plain_images


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write (3, h, w) or (h, w) uint8 pixels as PNG, making the folder where needed."""
    _write_plain(path, pixels, compress_level=1)


def write_jpeg(path: Path, pixels: np.ndarray) -> None:
    """Write (3, h, w) uint8 pixels as JPEG, making the folder where needed."""
    _write_plain(path, pixels, quality=95)


def _write_plain(path: Path, pixels: np.ndarray, **options: Any) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    interleaved = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    Image.fromarray(interleaved).save(path, **options)


def write_geotiff(
    path: Path, image: np.ndarray, gsd: float, origin: tuple[float, float], crs: str = "EPSG:32633"
) -> None:
    """Write an image (C, H, W) in its own dtype, uncompressed, making the folder if needed.

    Args:
        path: The file to write.
        image: Pixels of any dtype that GeoTIFF knows.
        gsd: Pixel size in metres.
        origin: Easting and northing of the upper left corner in ``crs``.
        crs: A projected reference system in metres.
    """
    from rasterio import Affine

    write_tiff(path, image, crs=crs, transform=Affine(gsd, 0, origin[0], 0, -gsd, origin[1]))


def write_tiff(path: Path, image: np.ndarray, **options: Any) -> None:
    """Write an image (C, H, W) uncompressed, making the folder if needed.

    Args:
        path: The file to write.
        image: Pixels of any dtype that TIFF knows.
        options: Of ``rasterio.open``; without crs and transform the file has no georeference.
    """
    import rasterio

    expect_plain_images()
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = image.shape
    shape = {"count": count, "height": height, "width": width, "dtype": image.dtype}
    with rasterio.open(path, "w", driver="GTiff", **shape, **options) as raster:
        raster.write(image)
