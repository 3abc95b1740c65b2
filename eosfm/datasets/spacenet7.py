"""SpaceNet 7: buildings of growing towns in monthly Planet mosaics, 8-bit RGB of about 4 m."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.datasets.native.spacenet7 import Month, buildings, describe, months, pixels
from eosfm.datasets.native.spec import Scene, Window

NAME = "spacenet7"


def scenes(root: Path) -> Iterator[Scene]:
    """Yield each labelled month of each area.

    Pixels that the dataset's masks call unusable (cloud, haze) are 0 in the image and ignored in
    the target.

    Raises:
        EosfmError: A folder or file is missing, damaged or misnamed.
    """
    for series in months(root, NAME):
        for month in series:
            yield Scene(
                id=month.image.stem,
                split=month.split,
                height=month.header.height,
                width=month.header.width,
                files=(month.image, month.label),
                image=partial(_image, month),
                target=partial(buildings, month),
                crs=month.header.crs,
                transform=month.header.transform,
                dates=(month.date,),
            )


def _image(month: Month, window: Window) -> np.ndarray:
    return pixels(month, window)[None]


DATASET = describe(NAME, "SpaceNet 7 (MUDS)", "segmentation", ("background", "building"), scenes)
"""About 1400 mosaics of 1024 px, about 24 months of each area."""
