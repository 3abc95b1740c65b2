"""Lists the rasters of a scene: one file, or those in a folder or a product."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eosfm.core.errors import EosfmError
from eosfm.prediction.names import file_bands
from eosfm.prediction.products import is_picture

SUFFIXES = (".tif", ".tiff", ".jp2", ".png", ".jpg", ".jpeg", ".img")
"""Suffixes of the rasters that are read from a folder."""
SIZES = ("R10m", "R20m", "R60m")
"""Folders by pixel size in a Sentinel-2 Level-2A product, the finest first."""


def files_of(path: str) -> list[str]:
    """The files of a scene: itself, or the rasters of a folder.

    Raises:
        EosfmError: The folder has none.
    """
    folder = Path(path)
    if not folder.is_dir():
        return [path]
    files = rasters_in(folder)
    if not files:
        raise EosfmError(f"{path} has no raster; expected files of {', '.join(SUFFIXES)}")
    return files


def rasters_in(folder: Path) -> list[str]:
    """The rasters of a folder, sorted by name, without hidden files and a product's previews.

    In a SAFE, these are the images of its granules; in folders by pixel size, each band is taken
    from the finest one.
    """
    if images := sorted(folder.glob("GRANULE/*/IMG_DATA")):
        return [file for granule in images for file in rasters_in(granule)]
    if any((folder / size).is_dir() for size in SIZES):
        finest: dict[str, str] = {}
        for file in (file for size in SIZES for file in rasters_in(folder / size)):
            finest.setdefault(re.sub(r"_\d\dm$", "", Path(file).stem), file)
        return sorted(finest.values())
    files = folder.iterdir() if folder.is_dir() else ()
    files = (file for file in files if not file.name.startswith("."))  # macOS adds ._B02.tif
    wanted = (file for file in files if file.suffix.lower() in SUFFIXES and not is_picture(file))
    return sorted(map(str, wanted))


def said_of(rasters: Sequence[Any]) -> list[str | None]:
    """Band of each channel of rasters, one after the other; None where unknown."""
    return [name for raster in rasters for name in file_bands(raster, raster.name)]
