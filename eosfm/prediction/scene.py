"""One date of a scene: a raster, or a folder of rasters on one grid, read by window."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.bands import band
from eosfm.core.errors import EosfmError
from eosfm.prediction.channels import LARGEST, Channel, SceneFile
from eosfm.prediction.folders import files_of, said_of
from eosfm.prediction.grid import Bounds, common_grid, grid_of, on_finest
from eosfm.prediction.names import expect_once, match, note_overridden
from eosfm.prediction.opening import is_served, open_raster
from eosfm.prediction.products import AS_IT_IS
from eosfm.prediction.stac import Item

OTHERS = ("db", "m")
"""Units of channels that are no images: backscatter and heights."""

PROBE = 64
"""Side of the sampled windows in pixels."""
PROBES = (7, 21)
"""Sampled windows along each side; more if the fewer find no value of some channel."""


@dataclass(frozen=True)
class ReadOptions:
    """The user's options for reading scenes.

    Attributes:
        bands: Names of each scene's bands in their order; None to read them from its files.
        scale: Factor for the values, after the files' own scaling; not for channels in decibels or
            metres beside others.
        offset: Added then, to the same channels.
        dates: ISO dates of the scenes; empty to use those that the scenes tell.
        nodata: Nodata value if nothing declares one.
        bounds: Of the part of the scenes that is read; None for all.

    Raises:
        EosfmError: ``scale`` is 0, a number is not finite, or the bounds are none.
    """

    bands: tuple[str, ...] | None = None
    scale: float = 1.0
    offset: float = 0.0
    dates: tuple[str, ...] = ()
    nodata: float | None = None
    bounds: Bounds | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale and math.isfinite(self.offset)):
            raise EosfmError(
                f"--scale is {self.scale:g} and --offset {self.offset:g}; expected numbers, and no "
                "scale of 0; correct them"
            )
        if self.bounds is not None:
            west, south, east, north = self.bounds
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise EosfmError(
                    f"--bounds are {west:g} {south:g} {east:g} {north:g}; expected west, south, "
                    "east and north in degrees; correct them"
                )


AS_FOUND = ReadOptions()
"""Options of a user who gives none."""


class Scene:
    """Chosen channels of one date, in given units.

    Attributes:
        path: As the user gave it.
        grid: Its pixel grid, or that of the part within bounds.
        channels: In the order of the wanted bands.
        files: All files that belong to its rasters.
        note: What the user should know of its bands; empty where nothing.
    """

    def __init__(
        self,
        path: str,
        channels: Sequence[Channel],
        files: Sequence[str],
        bounds: Bounds | None = None,
        note: str = "",
    ) -> None:
        self.path = path
        self.note = note
        self.files = sorted(set(files))
        self.channels = tuple(channels)
        self.grid, self._origin = grid_of(channels[0].raster), (0, 0)
        self._whole = self.grid.size
        if bounds:
            self.grid, self._origin = self.grid.part(bounds, path)
        self._shared = [slot for slot, one in enumerate(self.channels) if one.shared]

    def read(self, row: int, col: int, height: int, width: int) -> np.ndarray:
        """Read a window (C, height, width) float32, NaN where a channel was not measured.

        Beyond the bounds there are further pixels. Beyond the scene, its last row and column
        repeat.

        Raises:
            EosfmError: A file is damaged, or its server does not answer.
        """
        row, col = row + self._origin[0], col + self._origin[1]
        inside = (min(height, self._whole[0] - row), min(width, self._whole[1] - col))
        values = np.empty((len(self.channels), *inside), np.float32)
        for raster in dict.fromkeys(one.raster for one in self.channels):
            slots = [slot for slot, one in enumerate(self.channels) if one.raster is raster]
            self._read(raster, slots, (row, col), values)
        # Most windows have no gaps, which the first channel alone shows.
        if self._shared and self._told(self._shared[:1], values[self._shared[:1]]).any():
            gone = self._told(self._shared, values[self._shared]).all(axis=0)
            for slot in self._shared:
                values[slot][gone] = np.nan
        for slot, one in enumerate(self.channels):
            if (one.factor, one.offset) != (1.0, 0.0):
                values[slot] = values[slot] * np.float32(one.factor) + np.float32(one.offset)
        values[~(np.abs(values) <= LARGEST)] = np.nan  # infinities are gaps too
        beyond = ((0, 0), (0, height - inside[0]), (0, width - inside[1]))
        return np.pad(values, beyond, mode="edge") if inside != (height, width) else values

    def sample(self) -> np.ndarray:
        """(C, N) values of windows spread over the scene, NaN where not measured."""
        for most in PROBES:
            height, width = (min(PROBE, side) for side in self.grid.size)
            rows, cols = (_spread(side, most) for side in self.grid.size)
            parts = [self.read(row, col, height, width) for row in rows for col in cols]
            values = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
            if not np.isnan(values).all(axis=1).any():
                break
        return values

    def identity(self) -> tuple[Any, ...]:
        """Plain values that change if its pixels may have: files, their sizes and times, channels.

        The ctime is included, since copies keep another file's mtime and clocks are set back.
        """
        found = [file.stat() for file in map(Path, self.files) if file.exists()]
        seen = [(one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino) for one in found]
        said = [
            (_place(c.raster.name), c.index, c.factor, c.offset, c.mask, c.nodata, c.shared)
            for c in self.channels
        ]
        # Files that are not local are identified by sampled pixels.
        local = len(found) == len(self.files)
        pixels = "" if local else sha256(self.sample().tobytes()).hexdigest()
        placed = self._origin, self.grid.size
        return _place(self.path), [_place(file) for file in self.files], seen, said, placed, pixels

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
            why = str(error.__cause__ or error)[:120]
            if is_served(raster.name):
                raise EosfmError(
                    f"{_place(raster.name)} cannot be read any more ({why}); run the same command "
                    "again, which goes on from what is done"
                ) from None
            raise EosfmError(f"{raster.name} is damaged ({why}); fetch the file again") from None
        values[slots] = pixels

    def _told(self, slots: list[int], pixels: np.ndarray) -> np.ndarray:
        """Where pixels (C, h, w) are NaN or have their channel's nodata value."""
        told = np.array([self.channels[slot].nodata for slot in slots], np.float32)
        return np.asarray((pixels == told[:, None, None]) | np.isnan(pixels))


def _spread(side: int, most: int) -> list[int]:
    """Starts of the sampled windows along a side; no more than cover it."""
    count = min(most, -(-side // PROBE))
    return [place * max(side - PROBE, 0) // max(count - 1, 1) for place in range(count)]


def _mask(channel: Channel, window: Any) -> np.ndarray:
    if channel.mask:
        return np.asarray(channel.raster.read(channel.mask, window=window))
    return np.asarray(channel.raster.read_masks(channel.index, window=window))


def open_scene(
    path: str | Item,
    bands: Sequence[str],
    units: Sequence[str] | None,
    reading: ReadOptions = AS_FOUND,
    otherwise: float | None = None,
) -> Scene:
    """Open one date of a scene.

    Args:
        path: A raster (see :func:`open_raster`), a folder of rasters on one grid, or a STAC item.
            In an item, or a product whose bands differ in pixel size, coarser files are resampled
            bilinearly to the finest grid.
        bands: The wanted channels, by name.
        units: Wanted unit of each; None for the file's.
        reading: The user's options; of the scale and offset, channels in decibels or metres beside
            others take none.
        otherwise: Nodata value if file, item, user and product tell none.

    Raises:
        EosfmError: It cannot be read, lacks bands, or its files differ in their grids, or it
            lies beyond the bounds.
    """
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
        told = [(asset.scaling, asset.nodata) for asset in assets]
        note = ""
    else:
        sources = [open_raster(file) for file in files_of(path)]
        said = list(reading.bands) if reading.bands else said_of(sources)
        told = [(None, None) for _ in sources]
        note = note_overridden(reading.bands or (), sources)
        expect_once(bands, said, str(path))
    there = [(source, index) for source in sources for index in source.indexes]
    if len(said) != len(there):
        raise EosfmError(
            f"{path} has {len(there)} band(s), and --bands names {len(said)}; name each, in order"
        )
    layout = [f"{s.count} of {Path(s.name).name}" for s in sources] if len(sources) > 1 else []
    places = [there[place] for place in match(bands, said, str(path), layout)]
    starts = np.cumsum([0, *(source.count for source in sources)])
    named = [said[start:stop] for start, stop in pairwise(starts)]
    files = [
        SceneFile.of(source, scaling, declared, reading.nodata, otherwise, bands_there)
        for source, (scaling, declared), bands_there in zip(sources, told, named, strict=True)
        if any(source is other for other, _ in places)
    ]
    sizes = isinstance(path, Item) or all(file.product and file.product.sizes for file in files)
    if sizes and all(grid_of(file.source).crs for file in files):
        rasters = on_finest([file.source for file in files], [file.nodata for file in files])
    else:
        rasters = [file.source for file in files]
    common_grid([(raster.name, grid_of(raster)) for raster in rasters])
    # Beside images, the given scale and offset do not apply to heights and radar.
    apart = [u in OTHERS for u in units] if units else [band(b).wavelength is None for b in bands]
    mixed = len(set(apart)) > 1
    channels = []
    for (source, index), unit, other in zip(places, units or [""] * len(bands), apart, strict=True):
        file, raster = next(
            pair for pair in zip(files, rasters, strict=True) if pair[0].source is source
        )
        given = AS_IT_IS if mixed and other else (reading.scale, reading.offset)
        channels.append(file.channel(index, raster, unit, given))
    parts = [name for file in files for name in file.source.files]
    return Scene(str(path), channels, parts, reading.bounds, note)


def named_bands(path: str) -> list[str | None]:
    """Band of each channel of a scene, from its files; None where unknown."""
    return said_of([open_raster(file) for file in files_of(path)])


def _place(name: str) -> str:
    """A whole path, or a URL without its query, which may be a temporary signature."""
    if "://" in name:
        return name.partition("?")[0]
    return str(Path(name).resolve()) if Path(name).exists() else name
