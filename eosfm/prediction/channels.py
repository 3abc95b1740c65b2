"""What makes a stored channel one in a wanted unit: declared, given, or known of the product."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.bands import band
from eosfm.core.errors import EosfmError
from eosfm.prediction.products import AS_IT_IS, Product, product_of

EXACT = ("uint8", "int8", "uint16", "int16", "float32")
"""Types whose every value float32 holds."""
UNSCALED = 0.5
"""A factor from here on leaves numbers as large as they are."""
RADAR = ("vv", "vh", "sar")
"""What common names of radar's channels begin with."""


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
            was not measured where all such channels say so.
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
    """An open file, and what is known beside it.

    Attributes:
        source: A rasterio dataset.
        product: What its name tells.
        scaling: Of each channel factor and offset, where the file declares none; None where no item
            says them either.
        nodata: The value of pixels that were not measured, where the file declares none.
        bands: Of each channel, None where it is none that is known.
    """

    source: Any
    product: Product | None
    scaling: Sequence[tuple[float, float]] | None
    nodata: float | None
    bands: Sequence[str | None]

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
        """What an item declares, or the user says, or the product, or the task, in this order."""
        product = product_of(source.name)
        of_product = None if product is None or product.refusal else 0.0
        said = (declared, nodata, of_product, otherwise)
        known = next((v for v in said if v is not None), None)
        return cls(source, product, scaling, known, bands)

    def channel(self, index: int, raster: Any, unit: str, given: tuple[float, float]) -> Channel:
        """A channel, of the file itself or as ``raster`` shows it, in a unit."""
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
        # Where radar's 0 is declared a gap it is one: 0 dB is brighter than nearly all land. And
        # with an offset, a stored 0 is no reflectance of 0.
        said = self.bands[index - 1]
        radar = unit == "db" or (said is not None and band(said).common.startswith(RADAR))
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
        """What makes a channel's values those of a unit: factor, and what is added then."""
        factor, offset = self.source.scales[index - 1], self.source.offsets[index - 1]
        if (factor, offset) == AS_IT_IS and self.scaling is not None:
            factor, offset = self.scaling[index - 1]
        elif product := self._of_product(index):
            factor, offset = product.scaling(self.source.name)
        if unit.startswith("dn"):  # digital numbers are what is stored, whatever they stand for
            return AS_IT_IS
        # Files declare what makes 0 to 1 of them; a larger factor than that leaves 0 to 10,000.
        if unit == "reflectance_1e4" and (factor, offset) != AS_IT_IS and factor < UNSCALED:
            return 1e4 * factor, 1e4 * offset
        return factor, offset

    def _of_product(self, index: int) -> Product | None:
        """The product, where its numbers are as it has them and nothing else says what they are."""
        source = self.source
        silent = (source.scales[index - 1], source.offsets[index - 1]) == AS_IT_IS
        whole = np.dtype(source.dtypes[index - 1]).kind in "iu"
        return self.product if silent and whole and self.scaling is None else None

    def _unmeasured(self, index: int, raster: Any) -> tuple[int | None, float | None, bool]:
        """What tells where a channel was not measured: see ``mask``, ``nodata``, ``shared``."""
        if raster.count > self.source.count:  # see on_finest
            return raster.count, None, False
        shared = self.product is None or self.product.value
        flags = [flag.name for flag in raster.mask_flag_enums[index - 1]]
        if flags == ["all_valid"] or (
            "alpha" in flags and raster is self.source and self._alpha_is_a_band()
        ):
            return None, self.nodata, shared and self.nodata == 0
        told = raster.nodatavals[index - 1]
        if flags == ["nodata"] and (told == 0 or raster.dtypes[index - 1] in EXACT):
            # Eight times as fast as GDAL's masks of many bands.
            return None, told, shared and told == 0
        return 0, None, False

    def _alpha_is_a_band(self) -> bool:
        """Whether what GDAL takes for opacity, as the fourth of 8-bit bands, is a band by name."""
        colours = [interpretation.name for interpretation in self.source.colorinterp]
        return any(
            band is not None and colour == "alpha"
            for band, colour in zip(self.bands, colours, strict=True)
        )
