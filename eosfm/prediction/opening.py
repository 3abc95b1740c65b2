"""Scenes' files, of whom nobody knows who made them: opened as what they are, and nothing else."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eosfm.core.errors import EosfmError

DRIVERS = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG", "HFA")
"""GDAL's drivers that read what they are given, and no file or address that stands in it."""

BESIDE = (".ovr", ".msk")
"""What GDAL opens beside a raster when it needs overviews or a mask."""


def expect_there(paths: Sequence[str]) -> None:
    """Refuse what is not there before anything is loaded that takes seconds to load.

    Raises:
        EosfmError: There is no such file or folder; what is elsewhere is asked for when it is read.
    """
    for path in paths:
        if not is_elsewhere(path) and not Path(path).exists():
            raise EosfmError(f"{path} not found; give the path of a scene that is there")


def is_elsewhere(path: str) -> bool:
    """Whether a path is an address, or inside something that GDAL opens."""
    return "://" in path or path.startswith("/vsi")


def is_served(path: str) -> bool:
    """Whether a server has it, and no archive here."""
    local = path.startswith(("zip://", "tar://", "gzip://", "file://"))
    return bool(re.search(r"/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)", path)) or (
        "://" in path and not local
    )


def open_raster(path: str) -> Any:
    """Open a raster of a format of :data:`DRIVERS`, at a URL or in a part of an archive as well.

    A VRT names the files and addresses that it is made of: it is opened where a local file has that
    ending, so that nobody takes one for an image.

    Raises:
        EosfmError: It cannot be read, has complex numbers, or leads to another file or address.
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

    try:  # what rasterio.open does, which takes one driver alone
        with rasterio.Env(**options):
            opened = plain(ensure_env_with_credentials(DatasetReader)(path, driver=drivers))
        opened.colorinterp  # noqa: B018  # the first to find some damage of a reference system
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
    """Refuse overviews and masks beside a raster that are none: GDAL would open whatever they are.

    Raises:
        EosfmError: One is no GeoTIFF, or leads to another file or address.
    """
    names = {f"{path.name}{ending}".lower() for ending in BESIDE}
    for beside in path.parent.iterdir():
        if beside.name.lower() in names:
            _check_beside(beside)
            _open(str(beside), ["GTiff"], {}).close()
