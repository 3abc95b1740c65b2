"""Groups of bands that files store with the same dtype and pixel size."""

from collections.abc import Sequence
from dataclasses import dataclass

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
"""What images may be stored in."""


@dataclass(frozen=True)
class BandGroup:
    """Bands that are stored together.

    Attributes:
        bands: Their names, in file order.
        dtype: Numpy dtype that they are stored in.
        nodata: Value that means "not measured" when all of them have it; None where there is none.
            NaN means it in any case.
        step: Their pixel size as a multiple of the image's; coarse pixels are repeated.
    """

    bands: tuple[str, ...]
    dtype: str
    nodata: float | None = None
    step: int = 1

    def positions(self, bands: Sequence[str]) -> list[int]:
        """Where the group's bands stand among all of an image."""
        return [list(bands).index(name) for name in self.bands]

    def size(self, size: tuple[int, ...]) -> tuple[int, int]:
        """Height and width in the group's own pixels of an image's."""
        return -(-size[0] // self.step), -(-size[1] // self.step)
