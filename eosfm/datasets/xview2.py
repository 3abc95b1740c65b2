"""xView2 (xBD): building damage between two satellite images of a disaster, 8-bit RGB."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.datasets.native.holdout import divide
from eosfm.datasets.native.labels import draw_polygons
from eosfm.datasets.native.listing import expecting, matching, one_of, parse, read_text, require
from eosfm.datasets.native.scenes import Label, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Size, Source, Window

NAME = "xview2"
split_of = partial(divide, NAME, "test", 0.1)
"""The split of a pair of one of the published parts."""
IGNORE = 255
CLASSES = ("background", "no damage", "minor damage", "major damage", "destroyed")
SUBTYPES = {
    "no-damage": 1, "minor-damage": 2, "major-damage": 3, "destroyed": 4, "un-classified": IGNORE,
}  # fmt: skip
"""Damage of a polygon, as the labels name it, to class; the damage of some is not known."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the pairs of images: ``train``, then ``tier3`` where there is one, then ``test``.

    The class of a pixel is that after the disaster, drawn from the polygons of ``labels``. The
    images of ``targets`` beside them, which ``tier3`` has not, are not read: a building whose
    damage is not known is background there, and would be held against who finds it.
    """
    for folder in (root / "train", root / "tier3", root / "test"):
        if folder.name == "tier3" and not folder.is_dir():
            continue
        for name in _pairs(folder):
            pair = [f"{name}_{date}_disaster" for date in ("pre", "post")]
            images = [rgb(folder / "images" / f"{image}.png") for image in pair]
            target = Label(folder / "labels" / f"{pair[1]}.json", read_polygons)
            yield raster_scene(name, split_of(folder.name, name), images, target, frames=2)


def _pairs(folder: Path) -> list[str]:
    images = require(folder / "images", f"the images of {folder.name}_images_labels_targets")
    form, words = r"(.+_\d{8})_(?:pre|post)_disaster", "<disaster>_<8 digits>_<pre|post>_disaster"
    return sorted({parse(form, path.stem, path, words)[1] for path in matching(images, "*.png")})


def read_polygons(path: Path, size: Size, window: Window) -> np.ndarray:
    """Classes (h, w) from polygons in pixels: the one that covers a pixel's middle has it."""
    from shapely import from_wkt
    from shapely.errors import ShapelyError

    with expecting(path, "polygons with the subtype of their damage", ShapelyError):
        features = json.loads(read_text(path))["features"]["xy"]
        polygons = [from_wkt(item["wkt"]) for item in features]
        subtypes = [item["properties"]["subtype"] for item in features]
    names = list(SUBTYPES)
    damages = [SUBTYPES[names[one_of(name, names, "damage", path)]] for name in subtypes]
    return draw_polygons(polygons, damages, window, path)


DATASET = Dataset(
    name=NAME,
    title="xView2 (xBD)",
    kind="change",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.8,
    ignore_index=IGNORE,
    split_rule="official test; of train and tier3 one tenth, by hash of the pair's name, is held "
    "out for validation (PANGAEA holds a tenth of each disaster out); the holdout part is not used",
    source=Source(
        homepage="https://xview2.org/dataset",
        licence="CC BY-NC-SA 4.0",
        commercial=False,
        citation="Gupta, Hosfelt, Sajeev, Patel, Goodman, Doshi, Heim, Choset, Gaston: xBD: A "
        "Dataset for Assessing Building Damage from Satellite Imagery, 2019, arXiv 1911.09296",
        size_gb=27.4,
        manual="register on the homepage, download train_images_labels_targets.tar.gz (MD5 "
        "a20ebbfb7eb3452785b63ad02ffd1e16), test_images_labels_targets.tar.gz (MD5 "
        "1b39c47e05d1319c17cc8763cee6fe0c) and the Tier3 training data, and unpack them into one "
        "folder so that train/, test/ and tier3/ lie side by side",
    ),
    reader=scenes,
    published={"train val": 9_168, "test": 933},
)
