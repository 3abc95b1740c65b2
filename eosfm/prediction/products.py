"""What files of well-known products leave unsaid, told by how they are named."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Product:
    """Facts of a product's files.

    Attributes:
        names: What their names look like.
        scaling: Factor and offset that make reflectance from 0 to 1, or values as they are.
        nodata: The value of pixels that were not measured, where all bands have it.
    """

    names: re.Pattern[str]
    scaling: tuple[float, float]
    nodata: float


PRODUCTS = (
    # Landsat Collection 2 Level 2, Science Product Guide (USGS LSDS-1619), table 6-1.
    Product(re.compile(r"L[COTE]0\d_L2S[PR]_.*_SR_B\d"), (2.75e-5, -0.2), 0.0),
    # Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD): DN = 0 is no data.
    Product(re.compile(r"(L2A_)?T\d{2}[A-Z]{3}_\d{8}T\d{6}_"), (1.0, 0.0), 0.0),
)
PICTURE = re.compile(r"(L2A_)?T\d{2}[A-Z]{3}_\d{8}T\d{6}_(TCI|PVI)")
"""Of Sentinel-2, colours in 8 bits that were made to be looked at."""


def product_of(path: str) -> Product | None:
    """The product that a file's name tells; None where it tells none."""
    name = Path(path.partition("?")[0]).name
    return next((product for product in PRODUCTS if product.names.match(name)), None)


def is_picture(path: Path) -> bool:
    """Whether a file of a product holds no measurements."""
    return PICTURE.match(path.name) is not None
