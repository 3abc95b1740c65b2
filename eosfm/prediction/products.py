"""Facts on well-known products that their files do not declare, by file name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

AS_IT_IS = (1.0, 0.0)
"""Factor and offset that leave values unchanged."""
WITH_1000 = (1e-4, -0.1)
"""Factor and offset of Sentinel-2 from baseline 04.00 on, whose values are 1,000 higher."""
SHIFTED = "0400"
"""Baseline 04.00, as file names have it."""
SINCE = "2022-01-25"
"""Day from which all files have that baseline or a later one."""
BASELINE = re.compile(r"_N(\d{4})_")
TILE = r"(L2A_)?T\d{2}[A-Z]{3}_(\d{4})(\d{2})(\d{2})T\d{6}_"
"""Start of Sentinel-2's file names: tile and day."""
GRANULE = r"S2[AB]_(OPER|USER)_MSI_L\w{2}_TL_\w{4}_\d{8}T\d{6}_A\d{6}_T\d{2}[A-Z]{3}_B"
"""The same until December 2016, without the day of the image."""


@dataclass(frozen=True)
class Product:
    """Facts on a product's files.

    Attributes:
        names: Pattern of their names.
        scaling: From a file's path to the factor and offset that give reflectance from 0 to 1.
        value: Whether 0, the nodata value of all products here, may be a measured value too. Then
            a pixel is a gap only where all bands are 0.
        refusal: Why no scaling turns its values into reflectance; empty if one does.
        sizes: Whether the bands of one date differ in pixel size.
    """

    names: re.Pattern[str]
    scaling: Callable[[str], tuple[float, float]] = lambda path: AS_IT_IS
    value: bool = False
    refusal: str = ""
    sizes: bool = False


def _sentinel_2(path: str) -> tuple[float, float]:
    """Scaling by the baseline in a folder's name, else by the day.

    N9999 marks products that users process themselves; for these, the day decides.
    """
    whole = path if "://" in path else str(Path(path).resolve())
    told = [number for number in BASELINE.findall(whole) if number != "9999"]
    day = re.match(TILE, Path(path).name)
    shifted = told[-1] >= SHIFTED if told else day and "-".join(day.groups()[1:]) >= SINCE
    return WITH_1000 if shifted else AS_IT_IS


PRODUCTS = (
    # Landsat Collection 2 Level 2, Science Product Guide (USGS LSDS-1619), table 6-1; the same for
    # the tiles of Analysis Ready Data (CU, AK, HI).
    Product(
        re.compile(r"L[COTE]0\d_(L2S[PR]|CU|AK|HI)_.*_SR_B\d"), scaling=lambda path: (2.75e-5, -0.2)
    ),
    # Also named by scene, as before there were collections.
    Product(
        re.compile(r"L[COTEM](0\d_L1|\d{14}[A-Z]{3}\d\d_B\d)"),
        refusal="of Level 1; take Level 2 (L2SP)",
    ),
    Product(
        re.compile(r".*_AnalyticMS(?!.*_SR)"), refusal="radiance; take surface reflectance (SR)"
    ),
    # Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD): DN = 0 is no data.
    Product(re.compile(f"{TILE}|{GRANULE}"), scaling=_sentinel_2, value=True, sizes=True),
)
PICTURE = re.compile(
    rf"{TILE}(TCI|PVI)|.*_thumb_(small|large)\.|.*[-_](ql|browse)\.", re.IGNORECASE
)
"""Names of previews."""


def product_of(path: str) -> Product | None:
    """The product that a file's name or URL tells; None if unknown."""
    name = Path(path.partition("?")[0]).name
    return next((product for product in PRODUCTS if product.names.match(name)), None)


def is_picture(path: Path) -> bool:
    """Whether a file of a product holds no measurements."""
    return PICTURE.match(path.name) is not None
