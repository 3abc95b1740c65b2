"""What files of well-known products leave unsaid, told by how they are named."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

AS_IT_IS = (1.0, 0.0)
"""Factor and offset of values that stay."""
WITH_1000 = (1e-4, -0.1)
"""Of Sentinel-2's values of baseline 04.00 or later, which hold 1,000 more."""
SHIFTED = "0400"
"""That baseline, as names have it."""
SINCE = "2022-01-25"
"""The day from which all files are of it."""
BASELINE = re.compile(r"_N(\d{4})_")
TILE = r"(L2A_)?T\d{2}[A-Z]{3}_(\d{4})(\d{2})(\d{2})T\d{6}_"
"""How Sentinel-2's files begin: tile and day."""


@dataclass(frozen=True)
class Product:
    """Facts of a product's files.

    Attributes:
        names: What their names look like.
        scaling: From a file's path factor and offset that make reflectance from 0 to 1 of it.
        value: Whether 0, which all of these have where nothing was measured, is a value too. Then
            a pixel was not measured where all bands have it.
        refusal: Why its numbers are no reflectance, whatever they are multiplied with.
        sizes: Whether the bands of one date have pixels of several sizes.
    """

    names: re.Pattern[str]
    scaling: Callable[[str], tuple[float, float]] = lambda path: AS_IT_IS
    value: bool = False
    refusal: str = ""
    sizes: bool = False


def _sentinel_2(path: str) -> tuple[float, float]:
    """By the baseline in a folder's name, else by the day.

    N9999 is what people make themselves, of which the day tells more.
    """
    whole = path if "://" in path else str(Path(path).resolve())
    told = [number for number in BASELINE.findall(whole) if number != "9999"]
    day = re.match(TILE, Path(path).name)
    shifted = told[-1] >= SHIFTED if told else day and "-".join(day.groups()[1:]) >= SINCE
    return WITH_1000 if shifted else AS_IT_IS


PRODUCTS = (
    # Landsat Collection 2 Level 2, Science Product Guide (USGS LSDS-1619), table 6-1; the same of
    # the tiles of Analysis Ready Data (CU, AK, HI).
    Product(
        re.compile(r"L[COTE]0\d_(L2S[PR]|CU|AK|HI)_.*_SR_B\d"), scaling=lambda path: (2.75e-5, -0.2)
    ),
    Product(re.compile(r"L[COTEM]0\d_L1"), refusal="of Level 1; take Level 2 (L2SP)"),
    Product(
        re.compile(r".*_AnalyticMS(?!.*_SR)"), refusal="radiance; take surface reflectance (SR)"
    ),
    # Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD): DN = 0 is no data.
    Product(re.compile(TILE), scaling=_sentinel_2, value=True, sizes=True),
)
PICTURE = re.compile(
    rf"{TILE}(TCI|PVI)|.*_thumb_(small|large)\.|.*[-_](ql|browse)\.", re.IGNORECASE
)
"""Made to be looked at."""


def product_of(path: str) -> Product | None:
    """The product that the name of a file, or of one at a URL, tells; None where it tells none."""
    name = Path(path.partition("?")[0]).name
    return next((product for product in PRODUCTS if product.names.match(name)), None)


def is_picture(path: Path) -> bool:
    """Whether a file of a product holds no measurements."""
    return PICTURE.match(path.name) is not None
