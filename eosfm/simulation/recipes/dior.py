"""A simulated DIOR in its native layout."""

from pathlib import Path

from eosfm.datasets.dior import COLUMNS, DATASET, NAME, SIDES, TABLE
from eosfm.simulation import Simulation, draw_landscape, observe, write_lines, write_text
from eosfm.simulation.images import write_jpeg
from eosfm.simulation.objects import Box, place_objects

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
"""Theme of each simulated object's image, and its pixel size relative to the requested one.

The original images have pixels of 0.5 to 30 m.
"""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy: one kind of object an image, twelve kinds in turn.

    As in the original, test images come without annotations.
    """
    rows = [",".join(COLUMNS)]
    size = (simulation.size, simulation.size)
    for number, (split, index, key) in enumerate(simulation.plan(NAME), start=1):
        kind = tuple(SCENERY)[index % len(SCENERY)]
        theme, scale = SCENERY[kind]
        land = draw_landscape(key, size, scale * simulation.gsd, theme)
        land, boxes = place_objects(land, key, kind)
        folder = "test" if split == "test" else "trainval"
        image, label = f"Images/{folder}/{number:05d}.jpg", ""
        write_jpeg(root / image, observe(land, key, DATASET.bands, units="dn8").image)
        if split != "test":
            label = f"Annotations/{folder}/{number:05d}.xml"
            write_text(root / label, _annotation(f"{number:05d}", simulation.size, kind, boxes))
        rows.append(f"{image},{label},{split}")
    write_lines(root / TABLE, rows)


def _annotation(name: str, size: int, kind: str, boxes: list[Box]) -> str:
    """A Pascal VOC annotation."""
    objects = []
    for box in boxes:
        corners = "".join(f"<{s}>{value}</{s}>" for s, value in zip(SIDES, box, strict=True))
        objects.append(f"<object><name>{kind}</name><bndbox>{corners}</bndbox></object>")
    return (
        f"<annotation><filename>{name}.jpg</filename><size><width>{size}</width>"
        f"<height>{size}</height><depth>3</depth></size>{''.join(objects)}</annotation>"
    )
