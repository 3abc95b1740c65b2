"""SpaceNet 7 as change: which buildings came or went between an area's first and last month."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.spacenet7 import IGNORE, Month, buildings, describe, months, pixels
from eosfm.datasets.native.spec import Scene, Window

NAME = "spacenet7_change"


def scenes(root: Path) -> Iterator[Scene]:
    """Yield each area with the first and the last of its labelled months.

    A pixel has changed where a building covers it in one of the two months only; it is ignored
    where one of them is unusable.

    Raises:
        EosfmError: A file is missing, damaged or misnamed, or an area has fewer than two months or
            months that lie elsewhere.
    """
    for series in months(root, NAME):
        if len(series) < 2:
            raise EosfmError(
                f"{NAME}: an area below {root / 'train'} has {len(series)} labelled months "
                f"({', '.join(str(month.label) for month in series) or 'its labels_match is empty'}"
                "); expected at least 2; fetch the area again"
            )
        yield _scene(series[0], series[-1])


def _scene(first: Month, last: Month) -> Scene:
    before, after = first.header, last.header
    if (before.crs, before.transform) != (after.crs, after.transform):
        raise EosfmError(
            f"{NAME}: {last.image} lies elsewhere than {first.image.name}; expected one grid per "
            "area; fetch the area again"
        )
    return Scene(
        id=first.aoi,
        split=first.split,
        # Mosaics of one area may differ by a row or column at the lower and right edges.
        height=min(before.height, after.height),
        width=min(before.width, after.width),
        files=(first.image, last.image, first.label, last.label),
        image=partial(_pair, first, last),
        target=partial(_change, first, last),
        crs=before.crs,
        transform=before.transform,
        dates=(first.date, last.date),
    )


def _pair(first: Month, last: Month, window: Window) -> np.ndarray:
    return np.stack([pixels(first, window), pixels(last, window)])


def _change(first: Month, last: Month, window: Window) -> np.ndarray:
    before, after = buildings(first, window), buildings(last, window)
    unusable = (before == IGNORE) | (after == IGNORE)
    return np.where(unusable, IGNORE, before != after).astype(np.uint8)


DATASET = describe(
    NAME, "SpaceNet 7 (MUDS), change", "change", ("no change", "building change"), scenes
)
"""The same files as SpaceNet 7's months; ``root`` may point at that dataset's copy."""
