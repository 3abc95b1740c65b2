"""Finds the band of each channel of a file, from descriptions, colours and file names."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eosfm.core.bands import band_name, check_bands, find, same
from eosfm.core.errors import EosfmError

COLOURS = ("red", "green", "blue", "nir")
"""Colour interpretations that name a band if a channel has no description."""

OLI = {
    "B01": "B01", "B02": "B02", "B03": "B03", "B04": "B04", "B05": "B8A", "B06": "B11",
    "B07": "B12", "B09": "B10",
}  # fmt: skip
TM = {"B01": "B02", "B02": "B03", "B03": "B04", "B04": "B8A", "B05": "B11", "B07": "B12"}
MSS = {"B01": "B03", "B02": "B04"}
OLDER = {"B04": "B03", "B05": "B04"}
NUMBERED = {
    "LC08": OLI, "LC09": OLI, "LO08": OLI, "LO09": OLI, "HLS.L30": OLI, "LE07": TM, "LT05": TM,
    "LT04": TM, "LM05": MSS, "LM04": MSS, "LM03": OLDER, "LM02": OLDER, "LM01": OLDER,
}  # fmt: skip
"""Sensors that number their bands differently, by prefix of the file name: their numbers and the
bands here. Those at other wavelengths have no name here and are left out."""
LANDSAT_8 = {"B01", "B02", "B03", "B04", "B05", "B06", "B07", "B10", "B11"}
SENTINEL_2 = {"B8A", "B12"}
"""A raster that numbers its bands, has all of the first and none of the second is of Landsat 8 or 9
(Google Earth Engine's ``B1`` to ``B11``); one of Sentinel-2 would have the others too."""
SCENE_ID = re.compile(r"^(L[COTEM])(\d)(?=\d{13}[A-Z]{3}\d\d)")
"""Start of the names of Landsat before its collections, such as LC80440342014077LGN00_B5.TIF."""


def file_bands(raster: Any, path: str) -> list[str | None]:
    """The band of each channel of an open raster, by its descriptions or colours.

    A file's only channel may be named by the file: ``B02.tif``, ``T33UUP_B02.jp2``. Files of
    Landsat, and of HLS from Landsat, are read in Landsat's numbering.
    """
    file = Path(path.partition("?")[0])
    names = described_bands(file.name, raster.descriptions)
    # If the sensor has its own numbers, they are more precise than descriptions such as NIR.
    if raster.count == 1 and (names == [None] or _own_numbers(file.name)):
        names = [_named_by_file(file) or names[0]]
    colours = [interpretation.name for interpretation in raster.colorinterp]
    # GDAL takes the first three of any 8-bit bands for colours, so a description overrides one.
    return [
        name or (colour if colour in COLOURS and not said else None)
        for name, said, colour in zip(names, raster.descriptions, colours, strict=True)
    ]


def _named_by_file(path: Path) -> str | None:
    """The band in a file's name; of several, the last one of the most specific form."""
    stem = re.sub(r"(?i)(?<![a-z])(red|infra)[-_\s](edge|red)(?![a-z])", r"\1\2", path.stem)
    stem = re.sub(r"(?i)(?<![a-z])(nir[-_\s]narrow|narrow[-_\s]nir)(?![a-z])", "nir08", stem)
    if _own_numbers(path.name) is None:  # a number of one of the Landsats, each with its own
        stem = re.sub(r"(?i)(SR|sur_refl)_B\d+", "", stem)  # or of MODIS
    # Names with an underscore are whole: vv_vh is another channel than vh.
    parts = re.split(r"(?i)[-\s.]|_(?!(?<=v[vh]_)(?:vh|desc)(?![a-z]))", stem)
    words = [word for word in parts[::-1] if band_name(word)]
    # Sentinel-2's numbers override words, which may be part of a place name (B02_blue_nile.tif),
    # and words override single digits, which may just number the files (b1_blue.tif).
    own = [word for word in words if re.fullmatch(r"(?i)b(\d\d|8a)", word)]
    plain = [word for word in words if not re.fullmatch(r"(?i)b\d", word)]
    return numbered_by(path.name, next(iter(own or plain or words), None))


def described_bands(file: str, descriptions: Sequence[str | None]) -> list[str | None]:
    """The bands of a file's descriptions, in the sensor's own numbers if they or its name tell it.

    Args:
        file: Its name.
        descriptions: That of each channel; None where it has none.
    """
    there = {band_name(text) for text in descriptions}
    landsat = there >= LANDSAT_8 and not SENTINEL_2 & there
    own = _own_numbers(file) or (OLI if landsat else None)
    return [_numbered(own, text) for text in descriptions]


def numbered_by(file: str, text: str | None) -> str | None:
    """The band of a single description: see :func:`described_bands`."""
    return _numbered(_own_numbers(file), text)


def _numbered(own: Mapping[str, str] | None, text: str | None) -> str | None:
    name = band_name(text)
    if own is not None and re.match(r"\s*B\d+\b", text or "", re.IGNORECASE):
        return own.get(name or "")
    return name


def _own_numbers(file: str) -> dict[str, str] | None:
    file = SCENE_ID.sub(r"\g<1>0\2", file)
    return next((meant for begin, meant in NUMBERED.items() if file.startswith(begin)), None)


def parse_bands(words: Sequence[str] | None) -> tuple[str, ...] | None:
    """Parse a user's band names: one or several per word, separated by spaces or commas.

    The same aliases work as in files: ``B4`` is B04.

    Raises:
        EosfmError: A name is unknown, or given twice.
    """
    if words is None:
        return None
    given = " ".join(words).replace(",", " ").split()
    return check_bands([band_name(word) or word for word in given])


def expect_once(wanted: Sequence[str], there: Sequence[str | None], path: str) -> None:
    """Refuse files with several channels for one wanted band, unless one alone has its name.

    Raises:
        EosfmError: A band is ambiguous.
    """
    named = [name for name in there if name is not None]
    for name in wanted:
        alike = [other for other in named if same(name, other)]
        if len(alike) > 1 and alike.count(name) != 1:
            raise EosfmError(
                f"{path} has {name} {len(alike)} times ({', '.join(alike)}); expected each band "
                "once; take files with one of each, or name all bands in their order with "
                "--bands B02 B03 ..."
            )


def note_overridden(given: Sequence[str], rasters: Sequence[Any]) -> str:
    """A note if rasters name some of the given bands in other places; else empty.

    Colours tell nothing here: GDAL takes the first three of any 8-bit bands for them.
    """
    own = [
        name if text or raster.count == 1 else None
        for raster in rasters
        for name, text in zip(file_bands(raster, raster.name), raster.descriptions, strict=True)
    ]
    for name, told in zip(given, own, strict=False):
        if told and not same(name, told) and any(same(other, told) for other in given):
            return (
                f"; its files name their bands {', '.join(one or '?' for one in own)}, which "
                "--bands overrides: if they are right, leave it out"
            )
    return ""


def match(
    wanted: Sequence[str], there: Sequence[str | None], path: str, files: Sequence[str] = ()
) -> list[int]:
    """Position of each wanted band among the channels, by name or meaning.

    Args:
        wanted: Names of bands.
        there: Band of each channel; None where unknown.
        path: Path of the scene, for messages.
        files: Bands per file if there are several, such as ``2 of S1.tif``, for messages.

    Raises:
        EosfmError: A band is missing, or one channel would stand for two bands.
    """
    named = [name for name in there if name is not None]
    found = {name: find(name, named) for name in wanted}
    missing = [name for name, other in found.items() if other is None]
    if missing:
        layout = f" ({', '.join(files)})" if files else ""
        has = ", ".join(named) if named else f"{len(there)} band(s) without known names{layout}"
        lacks = ", ".join(missing) if named else "all"
        raise EosfmError(
            f"{path} has {has}; expected {', '.join(found)} (missing: {lacks}); name its bands in "
            "their order with --bands B02 B03 ..., or take another scene"
        )
    for name, other in found.items():
        if name != other and other in (set(wanted) - {name}):
            raise EosfmError(
                f"{path} has {other} alone, and {name} is wanted beside it, which is another "
                "image; take a scene that has both"
            )
    return [list(there).index(found[name]) for name in wanted]
