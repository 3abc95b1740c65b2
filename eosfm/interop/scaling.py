"""The statistics that standardise an input: of a raster, a folder of them, or a tile store."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.files import as_path

WINDOW = 1024
"""Side of the windows, in pixels, where a raster's own blocks are larger than such a window."""


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation per band, in the values' own unit.

    Attributes:
        bands: The bands' names; those of rasters where they tell each of them, else None.
        mean: One per band.
        std: One per band, 1 for a band that is the same everywhere.
        valid: Share of the pixels that were measured, per band.
    """

    bands: tuple[str, ...] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    valid: tuple[float, ...]


def statistics(path: Path | str) -> Statistics:
    """Mean and standard deviation per band of a scene's pixels, or of a tile store's training.

    Pixels that the raster marks as nodata, and NaN or values beyond 1e15 (such as -3.4e38), are
    left out, band by band, and so are bands of a store that are constant or unmeasured. Granules of
    Sentinel-2 and Landsat, told by their name, are 0 in all bands where nothing was measured,
    whether they declare it or not; classes, aerosol and vapour beside them, or beside bands of HLS,
    do not count, nor does a raster's opacity. The raster is read window by window: memory does not
    grow with it. Needs rasterio for a raster::

        scaling = eosfm.statistics("scene.tif")
        backbone = EosFM.from_artifact("models/eosfm.pth", bands=scaling.bands,
                                       mean=scaling.mean, std=scaling.std)

    Args:
        path: A GeoTIFF, JPEG 2000, PNG, JPEG or Imagine file (a URL too), a folder of such files,
            or the folder of a tile store. Files of a folder are a scene's, as of one per band, in
            the order of their names; where each has the same several bands, they are tiles, and
            their pixels count together.

    Raises:
        EosfmError: It is neither, is damaged, or a band has no measured pixel.
    """
    folder = as_path(path)
    return _of_store(folder) if (folder / "store.json").exists() else _of_scene(str(path))


def _of_store(path: Path) -> Statistics:
    from eosfm.tiles.store import TileStore

    store = TileStore(path)
    bands = tuple(band for band in store.bands if band not in store.faults)
    mean, std, valid = (
        tuple(values[band] for band in bands) for values in (store.mean, store.std, store.valid)
    )
    return Statistics(bands, mean, std, valid)


def _of_scene(path: str) -> Statistics:
    from eosfm.prediction.folders import files_of
    from eosfm.prediction.products import product_of

    try:
        files = files_of(path)
    except EosfmError as error:
        raise EosfmError(f"{error}; the folder of a tile store will do as well") from None
    bands = [_bands_of(file) for file in files]
    known = [any(own) for own in bands]
    granule = any(product_of(file) or Path(file).name.startswith("HLS.") for file in files)
    if any(known) and granule:  # beside its bands are classes, aerosol, vapour
        files, bands = list(compress(files, known)), list(compress(bands, known))
    if len(files) > 1 and len(bands[0]) > 1 and len(set(bands)) == 1:  # tiles, with all bands each
        return _of_rasters(files, bands[0], path)
    found = [_of_rasters([file], own, file) for file, own in zip(files, bands, strict=True)]
    mean, std, valid = (
        tuple(value for one in found for value in getattr(one, what))
        for what in ("mean", "std", "valid")
    )
    told = tuple(name for one in found for name in one.bands or ())
    return Statistics(told if len(told) == len(mean) else None, mean, std, valid)


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    try:
        from rasterio.errors import RasterioError
    except ImportError:
        raise EosfmError("rasterio is not installed; pip install rasterio") from None

    from eosfm.prediction.opening import open_raster

    try:
        with open_raster(path) as raster:
            yield raster
    except RasterioError as error:
        raise EosfmError(f"{path} is damaged ({error}); fetch the file again") from None
    except EosfmError as error:
        raise EosfmError(f"{error}; the folder of a tile store will do as well") from None


def _bands_of(path: str) -> tuple[str | None, ...]:
    """Band of each channel of a file but opacity; None where unknown."""
    with _opened(path) as raster:
        described, alpha = _described(raster)
        return tuple(band for index, band in enumerate(described, 1) if index != alpha)


def _described(raster: Any) -> tuple[list[str | None], int | None]:
    """Band of each channel of a raster, and which one of them is opacity, from 1."""
    from eosfm.prediction.channels import opacity
    from eosfm.prediction.names import file_bands

    described = file_bands(raster, raster.name)
    return described, opacity([one.name for one in raster.colorinterp], described)


def _of_rasters(files: Sequence[str], described: tuple[str | None, ...], path: str) -> Statistics:
    """The statistics of files with the same bands, which are one file, or the tiles of a folder."""
    from eosfm.prediction.channels import LARGEST
    from eosfm.prediction.products import product_of
    from eosfm.tiles.statistics import BandStatistics

    names = tuple(f"band {index}" for index in range(1, len(described) + 1))
    sums = BandStatistics(names)
    for file in files:
        with _opened(file) as raster:
            product = product_of(raster.name)
            gaps = product is not None and not product.refusal and raster.nodata is None
            for window in _windows(raster):
                values = _measured(raster, window)
                values[np.abs(values) > LARGEST] = np.nan  # not measured either
                if gaps:
                    values[:, (values == 0).all(axis=0)] = np.nan
                sums.update(values[None], np.zeros((1, *values.shape[1:]), bool))
    known = tuple(name for name in described if name)
    for name, count in zip(names, sums.count, strict=True):
        if not count:
            raise EosfmError(
                f"{path}: {name} has no measured pixel; check the file and its nodata value"
            )
    mean, std = zip(*(sums.moments(position) for position in range(len(names))), strict=True)
    return Statistics(
        known if len(known) == len(described) else None,
        mean,
        # Once standardised, a constant band is 0.
        tuple(s if s > 1e-12 * abs(m) else 1.0 for m, s in zip(mean, std, strict=True)),
        tuple((sums.count / sums.pixels).tolist()),
    )


def _measured(raster: Any, window: Any) -> np.ndarray:
    """A window's values but opacity, NaN where the raster marks them as missing.

    As in maps, a named band that GDAL takes for opacity masks nothing, and opacity masks beside any
    number of bands.
    """
    _, alpha = _described(raster)
    flags = {flag.name for flags in raster.mask_flag_enums for flag in flags}
    read = raster.read(window=window, masked="alpha" not in flags or alpha is not None)
    values: np.ndarray = np.ma.filled(read.astype(np.float64), np.nan)
    if alpha is None:
        return values
    if flags == {"all_valid"}:
        values[:, values[alpha - 1] == 0] = np.nan
    return np.delete(values, alpha - 1, axis=0)


def _windows(raster: Any) -> Iterable[Any]:
    """The raster's own blocks, or parts of them where they are large."""
    from rasterio.windows import Window, subdivide

    height, width = raster.block_shapes[0]
    if height * width <= WINDOW**2:
        return (window for _, window in raster.block_windows(1))
    return subdivide(Window(0, 0, raster.width, raster.height), WINDOW, WINDOW)
