"""One date of a scene: a raster, or a folder of rasters on one grid, read by window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.prediction.grid import expect_same, grid_of, on_finest
from eosfm.prediction.names import expect_once, file_bands, match
from eosfm.prediction.opening import open_raster
from eosfm.prediction.stac import Item

SUFFIXES = (".tif", ".tiff", ".jp2", ".png", ".jpg", ".jpeg", ".img")
"""What is read of a folder."""
EXACT = ("uint8", "int8", "uint16", "int16", "float32")
"""Types whose every value float32 holds."""

PROBE = 128
"""Side of the windows of a sample, pixels; there are nine, spread over the scene."""


@dataclass(frozen=True)
class Channel:
    """One channel of a scene.

    Attributes:
        raster: An open rasterio dataset.
        index: Its number there, from 1.
        factor: What its values are multiplied with.
        offset: And what is added then.
        masked: Whether the file tells where it was not measured.
        nodata: The value that alone tells it; None where a mask does, or nothing.
        dtype: Of what is stored.
    """

    raster: Any
    index: int
    factor: float
    offset: float
    masked: bool
    nodata: float | None
    dtype: str


class Scene:
    """Chosen channels of one date, in given units.

    Attributes:
        path: As the user gave it.
        grid: Where its pixels lie.
        channels: In the order of the bands that are wanted.
        files: All that belong to its rasters.
    """

    def __init__(
        self, path: str, channels: Sequence[Channel], nodata: float | None, files: Sequence[str]
    ) -> None:
        self.path = path
        self.files = sorted(set(files))
        self.channels = tuple(channels)
        self.grid = grid_of(channels[0].raster)
        # A value for "not measured" that the file does not tell, as the task's tiles have it.
        self._nodata = nodata
        self._declared = any(one.masked for one in self.channels)

    def read(self, row: int, col: int, height: int, width: int) -> np.ndarray:
        """A window as (C, height, width) float32, NaN where a channel was not measured.

        Beyond the scene its last rows and columns are repeated.
        """
        inside = (min(height, self.grid.height - row), min(width, self.grid.width - col))
        values = np.empty((len(self.channels), *inside), np.float32)
        for raster in dict.fromkeys(one.raster for one in self.channels):
            slots = [slot for slot, one in enumerate(self.channels) if one.raster is raster]
            self._read(raster, slots, (row, col), values)
        if self._nodata is not None and not self._declared:
            values[:, (values == self._nodata).all(axis=0)] = np.nan
        for slot, one in enumerate(self.channels):
            if (one.factor, one.offset) != (1.0, 0.0):
                values[slot] = values[slot] * np.float32(one.factor) + np.float32(one.offset)
        values[~np.isfinite(values)] = np.nan  # infinite is not measured either
        beyond = ((0, 0), (0, height - inside[0]), (0, width - inside[1]))
        return np.pad(values, beyond, mode="edge") if inside != (height, width) else values

    def sample(self) -> np.ndarray:
        """(C, N) values of some windows."""
        height, width = (min(PROBE, side) for side in self.grid.size)
        rows, cols = (
            sorted({int(k * (side - size) / 2) for k in range(3)})
            for side, size in zip(self.grid.size, (height, width), strict=True)
        )
        parts = [self.read(row, col, height, width) for row in rows for col in cols]
        return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)

    def identity(self) -> tuple[Any, ...]:
        """Plain values that differ where its pixels may: files, their sizes and times, channels.

        The time of change among them: copies keep the date of another file, clocks are set back.
        """
        found = [file.stat() for file in map(Path, self.files) if file.exists()]
        seen = [(one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino) for one in found]
        said = [(c.raster.name, c.index, c.factor, c.offset, c.masked) for c in self.channels]
        return self.path, self.files, seen, said, self._nodata

    def _read(
        self, raster: Any, slots: list[int], origin: tuple[int, int], values: np.ndarray
    ) -> None:
        from rasterio.errors import RasterioIOError
        from rasterio.windows import Window

        window = Window(origin[1], origin[0], values.shape[2], values.shape[1])
        indexes = [self.channels[slot].index for slot in slots]
        try:
            pixels = raster.read(indexes, window=window, out_dtype=np.float32)
            if any(self.channels[slot].masked for slot in slots):
                missing = self._missing(raster, slots, window, pixels)
                if raster.nodata == 0:  # also a value: of cirrus in most pixels, so all bands count
                    missing = np.broadcast_to(missing.all(axis=0), missing.shape)
                pixels[missing] = np.nan
        except RasterioIOError as error:
            raise EosfmError(
                f"{raster.name} is damaged ({str(error)[:120]}); fetch the file again"
            ) from None
        values[slots] = pixels

    def _missing(self, raster: Any, slots: list[int], window: Any, pixels: np.ndarray) -> Any:
        """Where pixels were not measured, as the file tells it."""
        told = [self.channels[slot].nodata for slot in slots]
        if None in told:
            indexes = [self.channels[slot].index for slot in slots]
            return raster.read_masks(indexes, window=window) == 0
        # Eight times as fast as GDAL's masks of many bands.
        return (pixels == np.array(told, np.float32)[:, None, None]) | np.isnan(pixels)


def open_scene(
    path: str | Item,
    bands: Sequence[str],
    units: Sequence[str] | None,
    names: Sequence[str] | None = None,
    scale: float = 1.0,
    nodata: float | None = None,
) -> Scene:
    """Open one date.

    Args:
        path: A raster, see :func:`open_raster`; a folder of rasters on one grid; or a STAC item,
            whose coarser assets are read on the grid of the finest, bilinearly.
        bands: The channels wanted, by name.
        units: The unit that each is wanted in; None for the file's.
        names: The file's bands in their order, instead of what it says itself.
        scale: What values are multiplied with, beside what the file says.
        nodata: The value of pixels that were not measured, where the file declares none.

    Raises:
        EosfmError: It cannot be read, lacks bands, or its files differ in their grids.
    """
    scaling: list[tuple[float, float]] | None = None
    if isinstance(path, Item):
        assets = path.wanted(bands)
        rasters = [open_raster(asset.href) for asset in assets]
        for raster, asset in zip(rasters, assets, strict=True):
            if raster.count != len(asset.bands):
                raise EosfmError(
                    f"{raster.name} has {raster.count} band(s), and {path} tells of "
                    f"{len(asset.bands)}; take another item"
                )
        said = [band for asset in assets for band in asset.bands]
        scaling = [one for asset in assets for one in asset.scaling]
        told = {asset.nodata for asset in assets}
        nodata = told.pop() if len(told) == 1 else nodata
        sources, rasters = rasters, on_finest(rasters)
    else:
        sources = rasters = [open_raster(file) for file in _files(path)]
        said = list(names) if names else _said(rasters)
        expect_once(bands, said, str(path))
    first = grid_of(rasters[0])
    for raster in rasters[1:]:
        expect_same(rasters[0].name, first, raster.name, grid_of(raster))
    there = [
        (source, raster, index)
        for source, raster in zip(sources, rasters, strict=True)
        for index in source.indexes
    ]
    if len(said) != len(there):
        raise EosfmError(
            f"{path} has {len(there)} band(s), and --bands names {len(said)}; name each, in order"
        )
    layout = [f"{s.count} of {Path(s.name).name}" for s in sources] if len(sources) > 1 else []
    places = match(bands, said, str(path), layout)
    channels = []
    for place, unit in zip(places, units or [""] * len(bands), strict=True):
        source, raster, index = there[place]
        declared = scaling[place] if scaling else (1.0, 0.0)
        channels.append(replace(_channel(source, index, unit, scale, declared), raster=raster))
    return Scene(str(path), channels, nodata, [file for s in sources for file in s.files])


def named_bands(path: str) -> list[str | None]:
    """What a scene's files say of their bands; None for those that they say nothing of."""
    return _said([open_raster(file) for file in _files(path)])


def _files(path: str) -> list[str]:
    folder = Path(path)
    if not folder.is_dir():
        return [path]
    files = rasters_in(folder)
    if not files:
        raise EosfmError(f"{path} has no raster; expected files of {', '.join(SUFFIXES)}")
    return files


def rasters_in(folder: Path) -> list[str]:
    """The rasters of a folder, by name."""
    return sorted(str(file) for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)


def _said(rasters: Sequence[Any]) -> list[str | None]:
    return [name for raster in rasters for name in file_bands(raster, raster.name)]


def _channel(
    raster: Any, index: int, unit: str, scale: float, declared: tuple[float, float]
) -> Channel:
    """A channel with what makes its values those of a unit.

    What is ``declared`` beside the file counts where the file declares nothing.
    """
    factor, offset = raster.scales[index - 1], raster.offsets[index - 1]
    if (factor, offset) == (1.0, 0.0):
        factor, offset = declared
    if unit.startswith("dn"):  # digital numbers are what is stored, whatever they stand for
        factor, offset = 1.0, 0.0
    elif unit == "reflectance_1e4" and (factor, offset) != (1.0, 0.0):
        factor, offset = 1e4 * factor, 1e4 * offset  # files declare what makes 0 to 1 of them
    flags = [flag.name for flag in raster.mask_flag_enums[index - 1]]
    dtype = raster.dtypes[index - 1]
    alone = flags == ["nodata"] and dtype in EXACT
    return Channel(
        raster, index, scale * factor, scale * offset, flags != ["all_valid"],
        raster.nodatavals[index - 1] if alone else None, dtype,
    )  # fmt: skip
