"""One date of a scene: a raster, or a folder of rasters on one grid, read by window."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.prediction.grid import expect_same, grid_of, on_finest
from eosfm.prediction.names import expect_once, file_bands, match
from eosfm.prediction.opening import open_raster
from eosfm.prediction.products import is_picture, product_of
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
        dtype: Of what is stored.
        mask: The raster's channel that is 0 where it was not measured, 0 being GDAL's own mask;
            None where a value tells it, or nothing.
        nodata: The value that tells it.
        shared: Whether that may be a measured value too: of cirrus, 0 in most pixels. Then a pixel
            was not measured where all channels say so.
    """

    raster: Any
    index: int
    factor: float
    offset: float
    dtype: str
    mask: int | None
    nodata: float | None
    shared: bool


class Scene:
    """Chosen channels of one date, in given units.

    Attributes:
        path: As the user gave it.
        grid: Where its pixels lie.
        channels: In the order of the bands that are wanted.
        files: All that belong to its rasters.
    """

    def __init__(self, path: str, channels: Sequence[Channel], files: Sequence[str]) -> None:
        self.path = path
        self.files = sorted(set(files))
        self.channels = tuple(channels)
        self.grid = grid_of(channels[0].raster)
        self._shared = [slot for slot, one in enumerate(self.channels) if one.shared]

    def read(self, row: int, col: int, height: int, width: int) -> np.ndarray:
        """A window as (C, height, width) float32, NaN where a channel was not measured.

        Beyond the scene its last rows and columns are repeated.
        """
        inside = (min(height, self.grid.height - row), min(width, self.grid.width - col))
        values = np.empty((len(self.channels), *inside), np.float32)
        for raster in dict.fromkeys(one.raster for one in self.channels):
            slots = [slot for slot, one in enumerate(self.channels) if one.raster is raster]
            self._read(raster, slots, (row, col), values)
        # Most windows are measured everywhere: the first channel tells.
        if self._shared and self._told(self._shared[:1], values[self._shared[:1]]).any():
            missing = np.isnan(values)
            missing[self._shared] = self._told(self._shared, values[self._shared])
            values[:, missing.all(axis=0)] = np.nan
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
        said = [
            (_place(c.raster.name), c.index, c.factor, c.offset, c.mask, c.nodata, c.shared)
            for c in self.channels
        ]
        # Of files elsewhere only the pixels tell.
        local = len(found) == len(self.files)
        pixels = "" if local else sha256(self.sample().tobytes()).hexdigest()
        return _place(self.path), [_place(file) for file in self.files], seen, said, pixels

    def _read(
        self, raster: Any, slots: list[int], origin: tuple[int, int], values: np.ndarray
    ) -> None:
        from rasterio.errors import RasterioIOError
        from rasterio.windows import Window

        window = Window(origin[1], origin[0], values.shape[2], values.shape[1])
        indexes = [self.channels[slot].index for slot in slots]
        try:
            pixels = raster.read(indexes, window=window, out_dtype=np.float32)
            for one, channel in zip(pixels, (self.channels[slot] for slot in slots), strict=True):
                if channel.mask is not None:
                    one[_mask(channel, window) == 0] = np.nan
                elif channel.nodata is not None and not channel.shared:
                    one[one == channel.nodata] = np.nan
        except RasterioIOError as error:
            raise EosfmError(
                f"{raster.name} is damaged ({str(error)[:120]}); fetch the file again"
            ) from None
        values[slots] = pixels

    def _told(self, slots: list[int], pixels: np.ndarray) -> np.ndarray:
        """Where pixels (C, h, w) have the values that tell that they were not measured."""
        told = np.array([self.channels[slot].nodata for slot in slots], np.float32)
        return np.asarray((pixels == told[:, None, None]) | np.isnan(pixels))


def _mask(channel: Channel, window: Any) -> np.ndarray:
    if channel.mask:
        return np.asarray(channel.raster.read(channel.mask, window=window))
    return np.asarray(channel.raster.read_masks(channel.index, window=window))


def open_scene(
    path: str | Item,
    bands: Sequence[str],
    units: Sequence[str] | None,
    names: Sequence[str] | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    nodata: float | None = None,
) -> Scene:
    """Open one date.

    Args:
        path: A raster, see :func:`open_raster`; a folder of rasters on one grid; or a STAC item,
            whose coarser assets are read on the grid of the finest, bilinearly.
        bands: The channels wanted, by name.
        units: The unit that each is wanted in; None for the file's.
        names: The file's bands in their order, instead of what it says itself.
        scale: What values are multiplied with, beside what the file says; where channels in
            decibels stand beside others, theirs are not.
        offset: And what is added then.
        nodata: The value of pixels that were not measured, where neither the file nor its product
            says one.

    Raises:
        EosfmError: It cannot be read, lacks bands, or its files differ in their grids.
    """
    beside: list[tuple[tuple[float, float], float | None]]
    if isinstance(path, Item):
        assets = path.wanted(bands)
        sources = [open_raster(asset.href) for asset in assets]
        for source, asset in zip(sources, assets, strict=True):
            if source.count != len(asset.bands):
                raise EosfmError(
                    f"{source.name} has {source.count} band(s), and {path} tells of "
                    f"{len(asset.bands)}; take another item"
                )
        said = [band for asset in assets for band in asset.bands]
        beside = [(scaling, asset.nodata) for asset in assets for scaling in asset.scaling]
        told = [nodata if asset.nodata is None else asset.nodata for asset in assets]
        rasters = on_finest(sources, told)
    else:
        sources = rasters = [open_raster(file) for file in _files(path)]
        said = list(names) if names else _said(rasters)
        products = [product_of(source.name) for source in sources for _ in source.indexes]
        beside = [
            ((1.0, 0.0), None) if p is None else (p.scaling, p.nodata if nodata is None else None)
            for p in products
        ]
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
    mixed = units is not None and len({unit == "db" for unit in units}) > 1
    for place, unit in zip(places, units or [""] * len(bands), strict=True):
        (source, raster, index), (scaling, declared) = there[place], beside[place]
        factor, added = _scaling(source, index, unit, scaling)
        unmeasured = _unmeasured(source, raster, index, declared, nodata)
        if not (mixed and unit == "db"):
            factor, added = scale * factor, scale * added + offset
        dtype = source.dtypes[index - 1]
        channels.append(Channel(raster, index, factor, added, dtype, *unmeasured))
    return Scene(str(path), channels, [file for s in sources for file in s.files])


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
    """The rasters of a folder, by name; without pictures of a product's."""
    files = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    return sorted(str(file) for file in files if not is_picture(file))


def _said(rasters: Sequence[Any]) -> list[str | None]:
    return [name for raster in rasters for name in file_bands(raster, raster.name)]


def _place(name: str) -> str:
    """A path or a URL, without what signs it for a while."""
    return name.partition("?")[0] if "://" in name else name


def _scaling(
    raster: Any, index: int, unit: str, beside: tuple[float, float]
) -> tuple[float, float]:
    """What makes a channel's values those of a unit: factor, and what is added then.

    What is declared ``beside`` the file counts where the file declares nothing.
    """
    factor, offset = raster.scales[index - 1], raster.offsets[index - 1]
    if (factor, offset) == (1.0, 0.0):
        factor, offset = beside
    if unit.startswith("dn"):  # digital numbers are what is stored, whatever they stand for
        return 1.0, 0.0
    if unit == "reflectance_1e4" and (factor, offset) != (1.0, 0.0):
        return 1e4 * factor, 1e4 * offset  # files declare what makes 0 to 1 of them
    return factor, offset


def _unmeasured(
    source: Any, raster: Any, index: int, declared: float | None, nodata: float | None
) -> tuple[int | None, float | None, bool]:
    """What tells where a channel was not measured: see ``mask``, ``nodata``, ``shared``.

    Args:
        source: The file.
        raster: It, or what shows it on another grid.
        index: The channel.
        declared: The value that is declared beside the file.
        nodata: The value where nothing is declared.
    """
    if raster.count > source.count:  # see on_finest
        return raster.count, None, False
    flags = [flag.name for flag in raster.mask_flag_enums[index - 1]]
    if flags == ["all_valid"]:
        told = nodata if declared is None else declared
        return None, told, told is not None and not declared
    told = raster.nodatavals[index - 1]
    if flags == ["nodata"] and (told == 0 or raster.dtypes[index - 1] in EXACT):
        return None, told, told == 0  # eight times as fast as GDAL's masks of many bands
    return 0, None, False
