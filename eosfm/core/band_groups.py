"""Groups of bands that files store with the same dtype and pixel size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eosfm.core.errors import EosfmError

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


def check_groups(
    groups: Sequence[BandGroup], bands: Sequence[str], dtype: str, nodata: float | None, owner: str
) -> None:
    """Check that groups hold each band once, and that images of ``dtype`` hold what they give.

    Args:
        groups: One or more.
        bands: All bands of the image.
        dtype: Of the image.
        nodata: What the image says beside its groups: nothing, or NaN.
        owner: Whose they are, for the error.

    Raises:
        EosfmError: They do not.
    """
    named = sorted(band for group in groups for band in group.bands)
    if named != sorted(bands):
        raise EosfmError(f"{owner}: groups hold {named}; name each of its bands once")
    if len({(group.dtype, group.step) for group in groups}) < len(groups):
        raise EosfmError(f"{owner}: two groups of one dtype and step; make them one")
    types = [group.dtype for group in groups]
    types += ["float32" for group in groups if group.nodata is not None]  # NaN there
    if not all(np.can_cast(one, dtype) for one in types):
        hint = "groups, or NaN at their nodata; correct dtype"
        raise EosfmError(f"{owner}: {dtype} does not hold all {hint}")
    if nodata is not None and not np.isnan(nodata):
        raise EosfmError(f"{owner}: nodata is {nodata}; give it to its groups alone")
