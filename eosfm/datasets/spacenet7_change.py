"""SpaceNet 7 as change: which buildings came or went in a year of an area's two."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.spacenet7 import AOIS, IGNORE, describe, months
from eosfm.datasets.native.spec import Scene, Window

NAME = "spacenet7_change"


def scenes(root: Path) -> Iterator[Scene]:
    """Yield each area with the first and the middle one of its labelled months, as PANGAEA tests.

    To train on there are the middle and the last month as well. A pixel has changed where a
    building covers it in one of the two months only; it is ignored where one of them is unusable.
    """
    for series in months(root):
        if len(series) < 2:
            raise EosfmError(
                f"an area below {root / 'train'} has {len(series)} labelled months "
                f"({', '.join(str(m.files[1]) for m in series) or 'its labels_match is empty'}); "
                "expected at least 2; fetch the area again"
            )
        middle = len(series) // 2
        yield _pair(series[0], series[middle])
        if series[0].split == "train" and len(series) > middle + 1:
            yield _pair(series[middle], series[-1])


def _pair(first: Scene, last: Scene) -> Scene:
    images, labels = zip(first.files, last.files, strict=True)
    if (first.crs, first.transform) != (last.crs, last.transform):
        raise EosfmError(
            f"{images[1]} lies elsewhere than {images[0].name}; expected one grid per area; fetch "
            "the area again"
        )

    def change(window: Window) -> np.ndarray:
        before, after = first.target(window), last.target(window)
        unusable = (before == IGNORE) | (after == IGNORE)
        return np.where(unusable, IGNORE, before != after).astype(np.uint8)

    return replace(
        first,
        id=f"{images[0].parents[1].name}_{first.dates[0]}",
        # Mosaics of one area may differ by a row or column at the lower and right edges.
        height=min(first.height, last.height),
        width=min(first.width, last.width),
        files=(*images, *labels),
        image=lambda window: np.concatenate([first.image(window), last.image(window)]),
        target=change,
        dates=(*first.dates, *last.dates),
    )


DATASET = replace(
    describe(NAME, "SpaceNet 7 (MUDS), change", "change", ("no change", "building change"), scenes),
    published={split: len(areas) * (2 if split == "train" else 1) for split, areas in AOIS.items()},
)
"""The same files as SpaceNet 7's months; ``root`` may point at that dataset's copy."""
