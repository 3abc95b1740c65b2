"""TIFF files whose pixel type is not fixed, or that do not say where they lie."""

import warnings
from pathlib import Path

import numpy as np

from eosfm.catalog.shared.geotiff import Header
from eosfm.catalog.shared.layout import open_raster
from eosfm.errors import EosfmError


def read_frame(path: Path, bands: int) -> Header:
    """Read a raster's header, whatever the type of its pixels.

    Args:
        path: A TIFF.
        bands: Number of bands that the dataset's files have.

    Raises:
        EosfmError: The file is missing, truncated, or has another number of bands.
    """
    with open_raster(path) as raster:
        if raster.count != bands:
            raise EosfmError(
                f"{path} has {raster.count} band(s); expected {bands}; fetch the dataset's own "
                "files again"
            )
        crs = raster.crs.to_string() if raster.crs else None
        transform = tuple(raster.transform)[:6] if crs else None
        return Header(raster.height, raster.width, crs, transform)


def write_tiff(path: Path, image: np.ndarray) -> None:
    """Write an image (C, H, W) without georeference, making the folder where needed."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = image.shape
    form = {"count": count, "height": height, "width": width, "dtype": image.dtype}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff", **form) as raster:
            raster.write(image)
