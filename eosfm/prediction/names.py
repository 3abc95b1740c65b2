"""Which band each channel of a file is."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eosfm.core.bands import band_name, check_bands, find, same
from eosfm.core.errors import EosfmError

COLOURS = ("red", "green", "blue", "nir")
"""What a file may say of a channel's colour, beside or instead of a name."""

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
"""How names of files begin of sensors that number their bands otherwise: what each of them means
by the names here. Their others are of wavelengths that have no name here."""


def file_bands(raster: Any, path: str) -> list[str | None]:
    """The band of each channel of an open raster, by its descriptions or colours.

    The only channel of a file may be named by the file's name: ``B02.tif``, ``T33UUP_B02.jp2``;
    those of Landsat and of HLS from Landsat as their own numbers mean.
    """
    file = Path(path.partition("?")[0])
    names = [numbered_by(file.name, description) for description in raster.descriptions]
    # Of a sensor with numbers of its own, they say more than words such as NIR.
    if raster.count == 1 and (names == [None] or _own_numbers(file.name)):
        names = [_named_by_file(file) or names[0]]
    colours = [interpretation.name for interpretation in raster.colorinterp]
    # GDAL takes the first three of any 8-bit bands for colours, so a word beside one says more.
    return [
        name or (colour if colour in COLOURS and not said else None)
        for name, said, colour in zip(names, raster.descriptions, colours, strict=True)
    ]


def _named_by_file(path: Path) -> str | None:
    """The band that a file's name ends with, or has somewhere."""
    stem = re.sub(r"(?i)(?<![a-z])(red|infra)[-_\s](edge|red)(?![a-z])", r"\1\2", path.stem)
    words = [word for word in re.split(r"[-_\s.]", stem)[::-1] if band_name(word)]
    # Sentinel-2's own numbers say more than words, which may be a place's (B02_blue_nile.tif), and
    # these more than numbers by which somebody counts his files (b1_blue.tif).
    own = [word for word in words if re.fullmatch(r"(?i)b(\d\d|8a)", word)]
    plain = [word for word in words if not re.fullmatch(r"(?i)b\d", word)]
    return numbered_by(path.name, next(iter(own or plain or words), None))


def numbered_by(file: str, text: str | None) -> str | None:
    """The band that a description means in a file of that name, whose sensor may number its own."""
    name, own = band_name(text), _own_numbers(file)
    if own is not None and re.match(r"\s*B\d+\b", text or "", re.IGNORECASE):
        return own.get(name or "")
    return name


def _own_numbers(file: str) -> dict[str, str] | None:
    return next((meant for begin, meant in NUMBERED.items() if file.startswith(begin)), None)


def parse_bands(words: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names that a user gives, one by one or several in a word, parted by spaces or commas.

    What is understood in a file is understood here too: ``B4`` is B04.

    Raises:
        EosfmError: One is unknown, or named twice.
    """
    if words is None:
        return None
    given = " ".join(words).replace(",", " ").split()
    return check_bands([band_name(word) or word for word in given])


def expect_once(wanted: Sequence[str], there: Sequence[str | None], path: str) -> None:
    """Refuse files of which two channels mean the same wanted band: nobody knows which to take.

    Raises:
        EosfmError: One is there more than once.
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


def match(
    wanted: Sequence[str], there: Sequence[str | None], path: str, files: Sequence[str] = ()
) -> list[int]:
    """Where each wanted band is, by name or meaning.

    Args:
        wanted: Names of bands.
        there: What is known of each channel.
        path: Of the scene.
        files: Of several, what each has, such as ``2 of S1.tif``: whoever names bands must know.

    Raises:
        EosfmError: Some are not there.
    """
    named = [name for name in there if name is not None]
    found = {name: find(name, named) for name in wanted}
    missing = [name for name, other in found.items() if other is None]
    if missing:
        layout = f" ({', '.join(files)})" if files else ""
        has = ", ".join(named) if named else f"{len(there)} band(s) without names{layout}"
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
