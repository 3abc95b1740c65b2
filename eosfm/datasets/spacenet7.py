"""SpaceNet 7: buildings of growing towns in monthly Planet mosaics, 8-bit RGB of about 4 m."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from eosfm.datasets.native.spacenet7 import describe, months
from eosfm.datasets.native.spec import Scene

NAME = "spacenet7"


def scenes(root: Path) -> Iterator[Scene]:
    """Yield each labelled month of each area; all months of one are a scene of the report."""
    for month in chain.from_iterable(months(root)):
        yield replace(month, product=month.files[0].parents[1].name)


DATASET = describe(NAME, "SpaceNet 7 (MUDS)", "segmentation", ("background", "building"), scenes)
"""About 1400 mosaics of 1024 px, about 24 months of each area."""
