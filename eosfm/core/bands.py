"""The band vocabulary: every channel in this project has one of these names.

Sentinel-2 bands keep their own names; sensors without such names use the STAC common names.
Centre wavelengths of Sentinel-2 are those of the ESA Sentinel-2 MSI user guide (S2A);
those of the common names are the middle of the ranges in the STAC EO extension.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from eosfm.core.errors import EosfmError, suggest


@dataclass(frozen=True)
class Band:
    """One kind of channel.

    Attributes:
        name: The name used in params, specs, files and metrics.
        common: STAC common name, shared by bands that mean the same thing (B04 and red).
        wavelength: Centre wavelength in nanometres; None for radar and height.
    """

    name: str
    common: str
    wavelength: float | None = None


BANDS: dict[str, Band] = {
    band.name: band
    for band in (
        Band("B01", "coastal", 442.7),
        Band("B02", "blue", 492.7),
        Band("B03", "green", 559.8),
        Band("B04", "red", 664.6),
        Band("B05", "rededge071", 704.1),
        Band("B06", "rededge075", 740.5),
        Band("B07", "rededge078", 782.8),
        Band("B08", "nir", 832.8),
        Band("B8A", "nir08", 864.7),
        Band("B09", "nir09", 945.1),
        Band("B10", "cirrus", 1373.5),
        Band("B11", "swir16", 1613.7),
        Band("B12", "swir22", 2202.4),
        Band("blue", "blue", 485.0),
        Band("green", "green", 560.0),
        Band("red", "red", 660.0),
        Band("nir", "nir", 840.0),
        Band("vv", "vv"),
        Band("vh", "vh"),
        # Single-band SAR whose polarisation or sensor varies from image to image (CaFFe).
        Band("sar", "sar"),
        # VV and VH of the descending orbit where a dataset gives both orbits (BioMassters).
        Band("vv_desc", "vv"),
        Band("vh_desc", "vh"),
        # VV minus VH, which PASTIS-R and PANGAEA give beside them.
        Band("vv_vh", "vv_vh"),
        Band("height", "height"),
    )
}

LOWER = {name.lower(): name for name in BANDS}
COMMON = {band.common: band.name for band in reversed(BANDS.values())}
COMMON |= {"rededge1": "B05", "rededge2": "B06", "rededge3": "B07"}  # as Earth Search has them

S2_BANDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip
"""Sentinel-2's thirteen bands in the order of their wavelengths."""

UNITS: dict[str, str] = {
    "reflectance_1e4": "surface or top-of-atmosphere reflectance times 10,000",
    "dn8": "uncalibrated 8-bit digital number, 0 to 255",
    "dn16": "uncalibrated 16-bit digital number",
    "db": "radar backscatter in decibels",
    "m": "metres",
}
"""Physical units a band's stored values may have."""


def band(name: str) -> Band:
    """Look a band up by name.

    Raises:
        EosfmError: The name is not in the vocabulary.
    """
    try:
        return BANDS[name]
    except KeyError:
        meant = band_name(name)
        hint = f"did you mean {meant!r}?" if meant else suggest(name, list(BANDS))
        raise EosfmError(f"unknown band {name!r}; {hint}") from None


def band_name(text: str | None) -> str | None:
    """The band that a file's band description names; None where it names none.

    Accepts vocabulary and STAC common names in any case, alone or as the first word
    (``B4, central wavelength 665 nm``), and Sentinel-2 names with one digit or a pixel size
    (``B8_10m``). ``Band 4`` names none: many files number their bands like this.
    """
    words = re.sub(r"\b(red|infra)[\s_-]+(edge|red)[\s_-]*", r"\1\2", (text or "").strip().lower())
    words = re.sub(r"\b(nir[\s_-]*narrow|narrow[\s_-]*nir)\b", "nir08", words)
    first = re.split(r"[\s,;:(]", words, maxsplit=1)[0]
    first = re.sub(r"_\d\dm$", "", first)
    padded = re.sub(r"^b(\d)$", r"b0\1", first)
    return LOWER.get(padded) or COMMON.get(first)


def check_bands(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names as a tuple once all are known and none is repeated.

    Repetition is allowed for radar alone: the SAR composite is VV, VH, VH.

    Raises:
        EosfmError: A name is unknown, or an optical band is named twice.
    """
    checked = tuple(names)
    for name in checked:
        if band(name).wavelength is not None and checked.count(name) > 1:
            raise EosfmError(f"band {name!r} is named twice in {', '.join(checked)}; name it once")
    return checked


def same(first: str, second: str) -> bool:
    """Whether two names mean the same kind of measurement (B04 and red; vv and vv)."""
    return band(first).common == band(second).common


def find(name: str, available: Iterable[str]) -> str | None:
    """The available band that is ``name`` or means the same; None where there is none."""
    names = tuple(available)
    if name in names:
        return name
    return next((other for other in names if same(name, other)), None)
