"""A simulated DIOR in its native layout."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.dior import _SIDES, COLUMNS, DATASET, NAME, TABLE
from eosfm.simulation import draw_landscape, observe
from eosfm.simulation.objects import Box, place_objects
from eosfm.simulation.recipe import Simulation

SCENERY: dict[str, tuple[str, float]] = {
    "vehicle": ("grassland", 1),
    "tenniscourt": ("pasture", 2),
    "ship": ("sea", 6),
    "storagetank": ("cropland", 3),
    "airplane": ("grassland", 4),
    "baseballfield": ("pasture", 7),
    "groundtrackfield": ("grassland", 8),
    "harbor": ("sea", 10),
    "basketballcourt": ("grassland", 2),
    "bridge": ("pasture", 8),
    "stadium": ("cropland", 12),
    "airport": ("cropland", 50),
}
"""Where the simulation puts what: theme, and pixel size relative to the one asked for.

The images of the original likewise have pixels of 0.5 to 30 m.
"""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy: one kind of object an image, twelve kinds in turn.

    As in the original, test images come without annotations.
    """
    rows = [",".join(COLUMNS)]
    number = 1
    for split in SPLITS:
        folder = "test" if split == "test" else "trainval"
        for index in range(simulation.scenes[split]):
            name = f"{number:05d}"
            number += 1
            pixels, kind, boxes = _draw(simulation, split, index)
            _write_jpeg(root / "Images" / folder / f"{name}.jpg", pixels)
            label = "" if split == "test" else f"Annotations/{folder}/{name}.xml"
            if label:
                _write_annotation(root / label, name, pixels.shape[1:], kind, boxes)
            rows.append(f"Images/{folder}/{name}.jpg,{label},{split}")
    (root / TABLE).write_text("\n".join(rows) + "\n")


def _draw(simulation: Simulation, split: Split, index: int) -> tuple[np.ndarray, str, list[Box]]:
    kind = tuple(SCENERY)[index % len(SCENERY)]
    theme, scale = SCENERY[kind]
    key = (simulation.seed, NAME, split, index)
    size = (simulation.size, simulation.size)
    land = draw_landscape(key, size, scale * simulation.gsd, theme)
    land, boxes = place_objects(land, key, kind)
    return observe(land, key, DATASET.bands, units="dn8").image, kind, boxes


def _write_jpeg(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(path, quality=95)


def _write_annotation(
    path: Path, name: str, size: tuple[int, ...], kind: str, boxes: list[Box]
) -> None:
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{name}.jpg"
    shape = ElementTree.SubElement(root, "size")
    for tag, value in (("width", size[1]), ("height", size[0]), ("depth", 3)):
        ElementTree.SubElement(shape, tag).text = str(value)
    for box in boxes:
        thing = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(thing, "name").text = kind
        corners = ElementTree.SubElement(thing, "bndbox")
        for side, value in zip(_SIDES, box, strict=True):
            ElementTree.SubElement(corners, side).text = str(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path)
