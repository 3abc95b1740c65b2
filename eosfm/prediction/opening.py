"""Opens rasters from untrusted sources, of which only a local .vrt may name other files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eosfm.core.errors import EosfmError

DRIVERS = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG", "HFA")
"""GDAL's drivers that read the given file alone, and no path or URL named in it."""

BESIDE = (".ovr", ".msk")
"""Suffixes of the files beside a raster that GDAL opens for overviews or a mask."""


def expect_there(paths: Sequence[str]) -> None:
    """Refuse missing files before slow imports; URLs and archives are checked when read.

    Raises:
        EosfmError: There is no such file or folder.
    """
    for path in paths:
        if not path or (not is_elsewhere(path) and not Path(path).exists()):
            told = path or "an empty path"
            raise EosfmError(f"{told} not found; give the path of a scene that is there")


def is_elsewhere(path: str) -> bool:
    """Whether a path is a URL, or one of GDAL's virtual file systems."""
    return "://" in path or path.startswith("/vsi")


def is_served(path: str) -> bool:
    """Whether a path is on a server, rather than a local file or archive."""
    local = path.startswith(("zip://", "tar://", "gzip://", "file://"))
    return bool(re.search(r"/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)", path)) or (
        "://" in path and not local
    )


def open_raster(path: str) -> Any:
    """Open a raster of a format of :data:`DRIVERS`, from a file, a URL or an archive.

    A VRT reads the files and URLs that it names, so it is opened only if a local file has that
    suffix: none can pass as an image.

    Raises:
        EosfmError: It cannot be read, has complex numbers, or refers to another file or URL.
    """
    from eosfm.datasets.native.gdal import ALONE, expect_plain_images

    expect_plain_images()
    if Path(path).is_fifo():
        raise EosfmError(
            f"{path} cannot be read as a raster (a pipe); expected a file; save it first"
        )
    if Path(path).is_file():
        _check_beside(Path(path))
        return _open(path, [*DRIVERS, "VRT"] if path.lower().endswith(".vrt") else [*DRIVERS], {})
    return _open(path, [*DRIVERS], ALONE)


def _open(path: str, drivers: Sequence[str], options: Mapping[str, str]) -> Any:
    import rasterio
    from rasterio._err import CPLE_BaseError
    from rasterio.env import ensure_env_with_credentials
    from rasterio.errors import RasterioIOError
    from rasterio.io import DatasetReader

    from eosfm.datasets.native.gdal import plain

    try:  # as rasterio.open, which takes only one driver
        with rasterio.Env(**options):
            opened = plain(ensure_env_with_credentials(DatasetReader)(path, driver=drivers))
        opened.colorinterp  # noqa: B018  # the first access that detects some damaged CRS
        return opened
    except (RasterioIOError, ValueError, CPLE_BaseError) as error:  # ValueError: not UTF-8
        if str(error) == f"{path}: No such file or directory":
            raise EosfmError(f"{path} not found; give a raster, or a folder of them") from None
        cure = "convert it with gdal_translate"
        if path.lower().endswith(".zip"):
            cure = "unpack it, and give a raster or a folder"
        elif is_served(path):
            cure = "see that the address is right, and the server answers"
        raise EosfmError(
            f"{path} cannot be read as a raster ({str(error)[:120]}); expected GeoTIFF, JPEG 2000, "
            f"PNG, JPEG, Imagine, or a local .vrt; {cure}"
        ) from None


def _check_beside(path: Path) -> None:
    """Refuse overviews and masks beside a raster of another format: GDAL would open any.

    Raises:
        EosfmError: One is no GeoTIFF, or refers to another file or URL.
    """
    names = {f"{path.name}{ending}".lower() for ending in BESIDE}
    for beside in path.parent.iterdir():
        if beside.name.lower() in names:
            _check_beside(beside)
            _open(str(beside), ["GTiff"], {}).close()
