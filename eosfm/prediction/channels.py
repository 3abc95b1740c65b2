"""Scale, offset and nodata of a scene's channels: declared, given, or known of the product."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.bands import band
from eosfm.core.errors import EosfmError
from eosfm.prediction.products import AS_IT_IS, Product, product_of

EXACT = ("uint8", "int8", "uint16", "int16", "float32")
"""Data types whose values float32 represents exactly."""
LARGEST = 1e15
"""Values that are larger, of either sign, are no measurements: -3.4e38 and 1e20 mark gaps in files
of floats, also where those no longer declare it."""
UNSCALED = 0.5
"""Declared factors from here on keep reflectance at 0 to 10,000; smaller ones give 0 to 1."""
RADAR = ("vv", "vh", "sar")
"""Prefixes of the common names of radar channels."""


@dataclass(frozen=True)
class Channel:
    """One channel of a scene.

    Attributes:
        raster: An open rasterio dataset.
        index: Its band number there, from 1.
        factor: Scale of the stored values.
        offset: Added to the scaled values.
        dtype: Stored data type.
        mask: Band number of the mask, which is 0 where the channel was not measured; 0 for GDAL's
            own mask, None if ``nodata`` marks gaps, or nothing does.
        nodata: The nodata value; None if there is a mask, or nothing marks gaps.
        shared: Whether nodata may be a measured value too: cirrus is 0 in most pixels, white is 255
            in 8 bits. Then a pixel is a gap only where all such channels have their nodata value.
    """

    raster: Any
    index: int
    factor: float
    offset: float
    dtype: str
    mask: int | None
    nodata: float | None
    shared: bool


@dataclass(frozen=True)
class SceneFile:
    """An open file, with metadata from its name, its STAC item, the user and the task.

    Attributes:
        source: A rasterio dataset.
        product: The product that its name tells; None if unknown.
        scaling: Factor and offset of each channel from the STAC item, used if the file declares
            none; None without.
        nodata: Nodata value, used if the file declares none.
        bands: Band of each channel; None where unknown.
        colours: Colour interpretation of each channel, read before masks, whose faults GDAL
            reports with the next access.
    """

    source: Any
    product: Product | None
    scaling: Sequence[tuple[float, float]] | None
    nodata: float | None
    bands: Sequence[str | None]
    colours: Sequence[str]

    @classmethod
    def of(
        cls,
        source: Any,
        scaling: Sequence[tuple[float, float]] | None,
        declared: float | None,
        nodata: float | None,
        otherwise: float | None,
        bands: Sequence[str | None],
    ) -> "SceneFile":
        """Choose nodata from the item, the user, the product or the task, in this order."""
        product = product_of(source.name)
        of_product = None if product is None or product.refusal else 0.0
        said = (declared, nodata, of_product, otherwise)
        known = next((v for v in said if v is not None), None)
        colours = [interpretation.name for interpretation in source.colorinterp]
        return cls(source, product, scaling, known, bands, colours)

    def channel(self, index: int, raster: Any, unit: str, given: tuple[float, float]) -> Channel:
        """Describe a channel in a unit, read from the file itself or from ``raster``, its warp.

        Raises:
            EosfmError: The product's values are no reflectance, or ``given`` would subtract an
                offset twice.
        """
        factor, offset = self._scaling(index, unit)
        name = Path(self.source.name).name
        product = self._of_product(index)
        if unit == "reflectance_1e4" and given == AS_IT_IS and product and product.refusal:
            raise EosfmError(f"{name} is {product.refusal}, or say --scale and --offset")
        if given == (1.0, -1000.0) and offset == -1000:
            raise EosfmError(
                f"{name} tells that it holds 1,000 more, which is subtracted without --offset "
                "-1000; leave that out"
            )
        added = given[0] * offset + given[1]
        mask, nodata, shared = self._unmeasured(index, raster)
        # A nodata of 0 is unambiguous for radar, as 0 dB is brighter than nearly all land, and
        # with an offset, as a stored 0 is then no reflectance of 0.
        said = self.bands[index - 1]
        radar = said is not None and band(said).common.startswith(RADAR)
        return Channel(
            raster,
            index,
            given[0] * factor,
            added,
            self.source.dtypes[index - 1],
            mask,
            nodata,
            shared and not radar and added == 0,
        )

    def _scaling(self, index: int, unit: str) -> tuple[float, float]:
        """Factor and offset that convert a channel to a unit."""
        factor, offset = self.source.scales[index - 1], self.source.offsets[index - 1]
        if (factor, offset) == AS_IT_IS and self.scaling is not None:
            factor, offset = self.scaling[index - 1]
        elif product := self._of_product(index):
            factor, offset = product.scaling(self.source.name)
        if unit.startswith("dn"):  # digital numbers stay as stored
            return AS_IT_IS
        # Files declare the conversion to 0 to 1; a larger factor means values of 0 to 10,000.
        if unit == "reflectance_1e4" and (factor, offset) != AS_IT_IS and factor < UNSCALED:
            return 1e4 * factor, 1e4 * offset
        return factor, offset

    def _of_product(self, index: int) -> Product | None:
        """The product, if values are its integers as distributed and nothing else scales them."""
        source = self.source
        silent = (source.scales[index - 1], source.offsets[index - 1]) == AS_IT_IS
        whole = np.dtype(source.dtypes[index - 1]).kind in "iu"
        return self.product if silent and whole and self.scaling is None else None

    def _unmeasured(self, index: int, raster: Any) -> tuple[int | None, float | None, bool]:
        """``mask``, ``nodata`` and ``shared`` of a channel."""
        if raster.count > self.source.count:  # on_finest added an alpha band
            return raster.count, None, False
        shared = self.product is None or self.product.value
        values = (0, 255) if raster.dtypes[index - 1] == "uint8" else (0,)
        flags = [flag.name for flag in raster.mask_flag_enums[index - 1]]
        # GDAL's own masks use an alpha band beside one or three bands alone.
        own = raster is self.source
        if flags == ["all_valid"] and own and (alpha := opacity(self.colours, self.bands)):
            return alpha, None, False
        if flags == ["all_valid"] or (
            "alpha" in flags and own and alpha_is_a_band(self.colours, self.bands)
        ):
            return None, self.nodata, shared and self.nodata in values
        told = raster.nodatavals[index - 1]
        if flags == ["nodata"] and (told == 0 or raster.dtypes[index - 1] in EXACT):
            # Comparing values is eight times as fast as GDAL's masks of many bands.
            return None, told, shared and told in values
        return 0, None, False


def opacity(colours: Sequence[str], bands: Sequence[str | None]) -> int | None:
    """Number of the band that is opacity and nothing else; None without.

    Args:
        colours: Colour interpretation of each band of a raster.
        bands: What each is; None where unknown.
    """
    if "alpha" not in colours or alpha_is_a_band(colours, bands):
        return None
    return colours.index("alpha") + 1


def alpha_is_a_band(colours: Sequence[str], bands: Sequence[str | None]) -> bool:
    """Whether GDAL's alpha, such as the fourth of 8-bit bands, is in fact a named band."""
    return any(
        band is not None and colour == "alpha" for band, colour in zip(bands, colours, strict=True)
    )
