"""Boxes of objects in Pascal VOC annotations."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.datasets.spec import Window

SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_objects(path: Path) -> list[tuple[str, list[float]]]:
    """Name and x_min, y_min, x_max, y_max in pixels of each object of an annotation.

    Raises:
        EosfmError: The file is missing, damaged or no annotation.
    """
    try:
        return [
            (
                thing.findtext("name", ""),
                [float(thing.findtext(f"bndbox/{side}", "")) for side in SIDES],
            )
            for thing in ElementTree.parse(path).getroot().findall("object")
        ]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise EosfmError(
            f"{path} is no Pascal VOC annotation ({error}); fetch the file again"
        ) from None


def write_objects(path: Path, size: tuple[int, int], objects: list[tuple[str, Any]]) -> None:
    """Write an annotation of an image of so many rows and columns, in integer pixels."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{path.stem}.jpg"
    shape = ElementTree.SubElement(root, "size")
    for tag, value in (("width", size[1]), ("height", size[0]), ("depth", 3)):
        ElementTree.SubElement(shape, tag).text = str(value)
    for name, box in objects:
        thing = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(thing, "name").text = name
        corners = ElementTree.SubElement(thing, "bndbox")
        for side, value in zip(SIDES, box, strict=True):
            ElementTree.SubElement(corners, side).text = str(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path)


def boxes_in(rows: list[list[float]], window: Window) -> np.ndarray:
    """Boxes whose middle lies in a window, cut to it: an object belongs to one window alone.

    Args:
        rows: x_min, y_min, x_max, y_max, class in pixels of the image.
        window: The part of the image.

    Returns:
        (n, 5) float32 in pixels of the window.
    """
    boxes = np.array(rows, np.float32).reshape(-1, 5)
    boxes[:, :4] -= np.array([window.col, window.row] * 2, np.float32)
    limits = np.array([window.width, window.height], np.float32)
    middle = (boxes[:, :2] + boxes[:, 2:4]) / 2
    inside = ((middle >= 0) & (middle < limits)).all(axis=1)
    boxes[:, :4] = np.clip(boxes[:, :4], 0, np.tile(limits, 2))
    return boxes[inside]
