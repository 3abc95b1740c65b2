"""Small helpers that several native readers share."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.spec import Window


def require(path: Path, dataset: str, expected: str) -> Path:
    """Return ``path`` if it exists.

    Raises:
        EosfmError: It does not; the line names the path, what was expected there, the remedy.
    """
    if not path.exists():
        raise EosfmError(
            f"{dataset}: {path} not found; expected {expected}; point datasets.{dataset}.root at "
            f"a complete copy, or delete the folder and run `dvc repro -f download@{dataset}`"
        )
    return path


def expect_plain_images() -> None:
    """Leave out rasterio's warning that an image has no georeference.

    For the whole process: rasters are opened in threads, and warnings' own contexts are not safe
    there.
    """
    from rasterio.errors import NotGeoreferencedWarning

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)


def open_raster(path: Path):  # type: ignore[no-untyped-def]
    """Open a raster for reading with rasterio.

    Datasets of plain images have no georeference; rasterio's warning about that is left out.

    Raises:
        EosfmError: The file is missing, truncated or not a raster.
    """
    import rasterio
    from rasterio.errors import RasterioIOError

    expect_plain_images()
    try:
        return rasterio.open(path)
    except RasterioIOError as error:
        raise EosfmError(
            f"{path} cannot be read as a raster ({str(error)[:120]}); fetch the file again"
        ) from None


def read_raster(path: Path, window: Window, bands: Sequence[int] | None = None) -> np.ndarray:
    """Read a window of a raster as (C, h, w) in its native dtype.

    Args:
        path: Any format that GDAL reads.
        window: Rectangle in pixels, inside the raster.
        bands: One-based band numbers in the order wanted; None for all in file order.

    Raises:
        EosfmError: The file is missing, truncated or not a raster.
    """
    from rasterio.errors import RasterioIOError
    from rasterio.windows import Window as RasterWindow

    with open_raster(path) as raster:
        try:
            return raster.read(
                list(bands) if bands else None,
                window=RasterWindow(window.col, window.row, window.width, window.height),
            )
        except RasterioIOError as error:
            raise EosfmError(
                f"{path} is damaged ({str(error)[:120]}); fetch the file again"
            ) from None
