"""xView2 (xBD): building damage between two satellite images of a disaster, 8-bit RGB."""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split
from eosfm.datasets.readers.holdout import rank
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.readers.polygons import draw_polygons
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "xview2"
HELD_OUT = 0.1
IGNORE = 255

CLASSES = ("background", "no damage", "minor damage", "major damage", "destroyed")
SUBTYPES = {
    "no-damage": 1, "minor-damage": 2, "major-damage": 3, "destroyed": 4, "un-classified": IGNORE,
}  # fmt: skip
"""Damage of a polygon, as the labels name it, to class; the damage of some is not known."""


class _Part(NamedTuple):
    """A folder of the dataset and its pairs of images."""

    folder: Path
    pairs: list[str]


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the pairs of images: ``train``, then ``tier3`` where there is one, then ``test``.

    The class of a pixel is that after the disaster. It is read from the images of ``targets``, or
    drawn from the polygons of ``labels`` in a part that has no ``targets`` (published so:
    ``tier3``).

    Raises:
        EosfmError: A folder or file is missing, damaged or misnamed, or the files of a pair differ
            in size.
    """
    names = ["train", *(["tier3"] if (root / "tier3").is_dir() else []), "test"]
    for part in [_part(root / name) for name in names]:
        for pair in part.pairs:
            yield _scene(part.folder, pair, split_of(part.folder.name, pair))


def split_of(part: str, pair: str) -> Split:
    """The split of a pair: a tenth of what is for training validates, by the hash of its name."""
    if part == "test":
        return "test"
    return "val" if rank(f"{NAME}/{pair}") < HELD_OUT else "train"


def _part(folder: Path) -> _Part:
    images = require(folder / "images", NAME, f"the images of {folder.name}_images_labels_targets")
    pairs = set()
    for path in images.glob("*.png"):
        match = re.fullmatch(r"(.+_\d{8})_(?:pre|post)_disaster", path.stem)
        if not match:
            raise EosfmError(
                f"{NAME}: {path} is named for no image of the dataset; expected "
                "<disaster>_<8 digits>_pre_disaster.png or _post_disaster.png; remove it"
            )
        pairs.add(match[1])
    return _Part(folder, sorted(pairs))


def _scene(folder: Path, pair: str, split: Split) -> Scene:
    before, after = (
        require(folder / "images" / f"{pair}_{date}_disaster.png", NAME, f"both images of {pair}")
        for date in ("pre", "post")
    )
    sizes = {before.name: png_size(before), after.name: png_size(after)}
    drawn = not (folder / "targets").is_dir()
    label = folder / "targets" / f"{pair}_post_disaster_target.png"
    if drawn:
        label = folder / "labels" / f"{pair}_post_disaster.json"
    require(label, NAME, f"the damage after the disaster of {pair}")
    if not drawn:
        sizes[label.name] = png_size(label)
    if len(set(sizes.values())) > 1:
        raise EosfmError(
            f"{NAME}: the files of {folder / pair} differ in size ({sizes}); expected one size; "
            "fetch them again"
        )
    height, width = sizes[before.name]
    return Scene(
        id=pair,
        split=split,
        height=height,
        width=width,
        files=(before, after, label),
        image=partial(_pair, before, after),
        target=partial(_drawn if drawn else _painted, label),
    )


def _pair(before: Path, after: Path, window: Window) -> np.ndarray:
    return np.stack([read_png(before, window), read_png(after, window)])


def _painted(path: Path, window: Window) -> np.ndarray:
    """Classes (h, w) from an image."""
    target = read_png(path, window, mode="L")
    strange = target[(target >= len(CLASSES)) & (target != IGNORE)]
    if strange.size:
        raise EosfmError(
            f"{NAME}: {path} holds class {strange[0]}; expected 0 to {len(CLASSES) - 1}; use the "
            "published targets unchanged"
        )
    return target


def _drawn(path: Path, window: Window) -> np.ndarray:
    """Classes (h, w) from polygons: a pixel belongs to the polygon that covers its middle."""
    polygons, classes = _polygons(path)
    return draw_polygons(polygons, classes, window)


def _polygons(path: Path) -> tuple[list[object], list[int]]:
    """Polygons in pixels and their classes."""
    from shapely import from_wkt
    from shapely.errors import ShapelyError

    try:
        features = json.loads(path.read_text())["features"]["xy"]
        polygons = [from_wkt(item["wkt"]) for item in features]
        subtypes = [item["properties"]["subtype"] for item in features]
    except KeyError as error:
        if error.args == ("subtype",):
            raise EosfmError(
                f"{NAME}: {path} has polygons without a damage; expected the labels after the "
                "disaster; fetch the file again"
            ) from None
        raise _damaged(path, error) from None
    except (ValueError, TypeError, ShapelyError) as error:
        raise _damaged(path, error) from None
    unknown = [subtype for subtype in subtypes if subtype not in SUBTYPES]
    if unknown:
        raise EosfmError(
            f"{NAME}: {path} has the damage {unknown[0]!r}; {suggest(unknown[0], list(SUBTYPES))}; "
            "fetch the file again"
        )
    return polygons, [SUBTYPES[subtype] for subtype in subtypes]


def _damaged(path: Path, error: Exception) -> EosfmError:
    return EosfmError(
        f"{NAME}: {path} cannot be read as labels ({type(error).__name__}: {str(error)[:80]}); "
        "fetch the file again"
    )


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
        citation="Gupta, Hosfelt, Sajeev, Patel, Goodman, Doshi, Heim, Choset, Gaston: xBD: A "
        "Dataset for Assessing Building Damage from Satellite Imagery, 2019, arXiv 1911.09296",
        size_gb=27.4,
        manual=(
            "register on the homepage, download train_images_labels_targets.tar.gz (MD5 "
            "a20ebbfb7eb3452785b63ad02ffd1e16), test_images_labels_targets.tar.gz (MD5 "
            "1b39c47e05d1319c17cc8763cee6fe0c) and the Tier3 training data, and unpack them into "
            "one folder so that train/, test/ and tier3/ lie side by side"
        ),
    ),
    scenes=scenes,
)
"""About 9200 pairs to train on and 933 to test, 1024 px each, 0.3 to 0.8 m per pixel."""
