"""Urban Atlas 2012 land use on French orthophotos: what MiniFrance and DFC2022 share."""

import re
from pathlib import Path
from typing import NamedTuple

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.values import codes

CLASSES = (
    "no information",
    "urban fabric",
    "industrial, commercial, public, military, private and transport units",
    "mine, dump and construction sites",
    "artificial non-agricultural vegetated areas",
    "arable land (annual crops)",
    "permanent crops",
    "pastures",
    "complex and mixed cultivation patterns",
    "orchards at the fringe of urban classes",
    "forests",
    "herbaceous vegetation associations",
    "open spaces with little or no vegetation",
    "wetlands",
    "water",
    "clouds and shadows",
)
NO_INFORMATION = 0
LAND_USE = codes(range(len(CLASSES)))

CITATION = (
    "Castillo-Navarro, Le Saux, Boulch, Audebert, Lefevre: Semi-Supervised Semantic Segmentation "
    "in Earth Observation: the MiniFrance suite, Machine Learning 2021, "
    "doi 10.1007/s10994-020-05943-y"
)


class Sheet(NamedTuple):
    """What the name of an orthophoto says.

    Attributes:
        department: Number of the French département, 06 for Nice's.
        easting: Of the upper left corner in Lambert 93, km.
        northing: Likewise.
    """

    department: str
    easting: int
    northing: int


def parse_sheet(path: Path) -> Sheet:
    """Read the name of an orthophoto, for example ``06-2014-1007-6318-LA93-0M50-E080.tif``.

    Raises:
        EosfmError: The name is of another form.
    """
    match = re.match(r"(\d{2}|2[AB])-\d{4}-(\d{4})-(\d{4})-LA93-0M50-E080\.", path.name)
    if not match:
        raise EosfmError(
            f"{path} is named otherwise than <department>-<year>-<easting>-<northing>-LA93-0M50-"
            "E080.tif; fetch it again, or remove it"
        )
    return Sheet(match[1], int(match[2]), int(match[3]))
