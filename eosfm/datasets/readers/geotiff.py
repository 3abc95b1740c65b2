"""TIFF patches: what their header says, reading with the expected shape, writing."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.readers.layout import expect_plain_images, open_raster
from eosfm.datasets.spec import Window


class Header(NamedTuple):
    """Facts of a raster that need no pixels.

    Attributes:
        height: Rows.
        width: Columns.
        crs: For example ``EPSG:32633``; None without georeference.
        transform: Affine coefficients (a, b, c, d, e, f) from pixel to CRS; None likewise.
    """

    height: int
    width: int
    crs: str | None
    transform: tuple[float, float, float, float, float, float] | None


def read_header(path: Path, bands: int, dtype: str | None) -> Header:
    """Read a raster's header and check that it is the kind of file expected.

    Args:
        path: A GeoTIFF.
        bands: Number of bands that the dataset's files have.
        dtype: Numpy dtype that they have; None where it is not fixed.

    Raises:
        EosfmError: The file is missing, truncated, or has other bands or another dtype.
    """
    with open_raster(path) as raster:
        if raster.count != bands or (dtype and set(raster.dtypes) != {dtype}):
            raise EosfmError(
                f"{path} has {raster.count} band(s) of {raster.dtypes[0]}; expected {bands} of "
                f"{dtype or 'any type'}; fetch the dataset's own files again"
            )
        crs = raster.crs.to_string() if raster.crs else None
        transform = tuple(raster.transform)[:6] if crs else None
        return Header(raster.height, raster.width, crs, transform)


def read_bands(path: Path, window: Window, bands: int, size: tuple[int, int]) -> np.ndarray:
    """Read all bands of a window as (bands, h, w) in the file's dtype.

    Args:
        path: A GeoTIFF.
        window: Rectangle in pixels, inside the raster.
        bands: Number of bands that the file must have.
        size: Rows and columns that it must have.

    Raises:
        EosfmError: The file is missing or damaged, or has another shape.
    """
    from rasterio.errors import RasterioIOError
    from rasterio.windows import Window as RasterWindow

    with open_raster(path) as raster:
        if (raster.count, *raster.shape) != (bands, *size):
            raise EosfmError(
                f"{path} has {raster.count} band(s) of {raster.height}x{raster.width} px; expected "
                f"{bands} of {size[0]}x{size[1]}; fetch the file again"
            )
        try:
            return raster.read(
                window=RasterWindow(window.col, window.row, window.width, window.height)
            )
        except RasterioIOError as error:
            raise EosfmError(
                f"{path} is damaged ({str(error)[:120]}); fetch the file again"
            ) from None


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
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=image.dtype,
        **options,
    ) as raster:
        raster.write(image)
