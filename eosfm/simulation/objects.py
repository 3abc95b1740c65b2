"""Things that object detectors look for, drawn onto a landscape, and the boxes that hold them.

Sizes are those that such things usually have, in metres. An object is drawn whole or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.simulation.covers import WATER
from eosfm.simulation.grid import coordinates
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key, generator, rotate

Box = tuple[int, int, int, int]
ATTEMPTS = 25


@dataclass
class _Pen:
    """Draws one object in its own axes; every shape that is part of the object joins ``body``."""

    rng: np.random.Generator
    land: Landscape  # with all that is drawn so far
    u: np.ndarray  # (H, W) metres along the object from its middle
    v: np.ndarray  # (H, W) metres across
    gsd: float  # metres per pixel
    length: float  # of the object in metres
    width: float  # likewise
    body: np.ndarray  # (H, W) bool, the object's pixels so far

    def paint(self, mask: np.ndarray, cover: str, body: bool = True, **layers: float) -> None:
        """Cover ``mask``; ``body`` tells whether that is part of the object."""
        self.land = self.land.covered(mask, cover, **layers)
        if body:
            self.body |= mask

    def within(self, length: float, width: float, u: float = 0.0, v: float = 0.0) -> np.ndarray:
        """(H, W) bool rectangle around (u, v), at least a pixel wide."""
        half = max(length, self.gsd) / 2, max(width, self.gsd) / 2
        return (np.abs(self.u - u) <= half[0]) & (np.abs(self.v - v) <= half[1])

    def oval(self, length: float, width: float) -> np.ndarray:
        """(H, W) distance from the middle of an ellipse, 1 on its edge."""
        return np.hypot(self.u / (length / 2), self.v / (width / 2))

    def outline(self, length: float, width: float) -> np.ndarray:
        """(H, W) bool line along the edge of a rectangle."""
        line = max(0.4, 0.8 * self.gsd)
        return self.within(length, width) & ~self.within(length - 2 * line, width - 2 * line)


def _airplane(pen: _Pen) -> None:
    size = pen.length
    side = np.abs(pen.v)
    fuselage = side < 0.055 * size * np.clip(3.5 * (0.5 - np.abs(pen.u) / size), 0, 1) ** 0.4
    swept = np.abs(pen.u - 0.06 * size + 0.55 * side) < 0.085 * size - 0.11 * side
    tail = np.abs(pen.u + 0.40 * size + 0.4 * side) < 0.06 * size - 0.1 * side
    plane = fuselage | (swept & (side < 0.46 * size)) | (tail & (side < 0.18 * size))
    pen.paint(plane & pen.within(size, size), "roof_bright", tone=1.5, building_height=4)


def _airport(pen: _Pen) -> None:
    across = pen.width
    pen.paint(pen.within(pen.length, across), "grassland", tone=1.05, vigour=0.6)
    runway = pen.within(pen.length, 45, v=-0.32 * across)
    taxiway = pen.within(0.8 * pen.length, 25, v=0.05 * across)
    pen.paint(runway | taxiway, "concrete", tone=0.85)
    for end in (-0.39, 0.0, 0.39):
        pen.paint(pen.within(25, 0.4 * across, end * pen.length, -0.13 * across), "concrete")
    pen.paint(pen.within(0.4 * pen.length, 0.3 * across, v=0.25 * across), "concrete")
    hall = pen.within(0.25 * pen.length, 0.12 * across, v=0.38 * across)
    pen.paint(hall, "roof_bright", tone=1.1, building_height=15)


def _baseball_field(pen: _Pen) -> None:
    home = pen.u + pen.length / 2
    away = np.hypot(home, pen.v)
    fan = np.abs(np.arctan2(pen.v, home)) < np.pi / 4
    pen.paint(fan & (away < pen.length), "grassland", tone=1.1, vigour=0.8)
    pen.paint(fan & (away < 0.42 * pen.length), "bare_soil", tone=1.1)
    diamond = np.abs(home - 0.21 * pen.length) + np.abs(pen.v) < 0.17 * pen.length
    pen.paint(diamond, "grassland", tone=1.1, vigour=0.8)


def _basketball_court(pen: _Pen) -> None:
    pen.paint(pen.within(pen.length, pen.width), "asphalt", tone=1.3)
    circle = np.abs(np.hypot(pen.u, pen.v) - 0.13 * pen.length) < max(0.2, 0.4 * pen.gsd)
    keys = np.abs(pen.u) > 0.32 * pen.length
    keys &= (np.abs(pen.v) < 0.17 * pen.width) & pen.within(0.92 * pen.length, pen.width)
    pen.paint(keys, "roof_red", tone=1.1)
    lines = circle | pen.outline(0.92 * pen.length, 0.88 * pen.width)
    pen.paint(lines | pen.within(0.3, 0.88 * pen.width), "concrete", tone=2.2)


def _bridge(pen: _Pen) -> None:
    water = np.abs(pen.u) < 0.44 * pen.length
    pen.paint(water, "river", body=False)
    road = np.abs(pen.v) < max(pen.width / 2, pen.gsd)
    pen.paint(road & ~water, "road", body=False)
    pen.paint(road & (np.abs(pen.u) <= pen.length / 2), "concrete", tone=1.05, building_height=6)


def _ground_track_field(pen: _Pen) -> None:
    straight = (pen.length - pen.width) / 2
    reach = np.hypot(np.maximum(np.abs(pen.u) - straight, 0), pen.v) / (pen.width / 2)
    pen.paint(reach < 1, "roof_red", tone=1.2)
    pen.paint(reach < 0.72, "grassland", tone=1.15, vigour=0.85)
    pen.paint(pen.outline(1.1 * pen.width, 0.68 * pen.width) & (reach < 0.7), "concrete", tone=1.8)


def _harbor(pen: _Pen) -> None:
    pen.paint(
        pen.within(pen.length, 0.12 * pen.width, v=-0.44 * pen.width), "concrete", building_height=2
    )
    for pier in np.linspace(-0.46, 0.46, int(pen.rng.integers(4, 7))):
        finger = pen.within(0.05 * pen.length, 0.9 * pen.width, pier * pen.length, 0.05 * pen.width)
        pen.paint(finger, "concrete", tone=0.95, building_height=2)


def _ship(pen: _Pen) -> None:
    taper = np.clip(1.06 - np.maximum(2 * pen.u / pen.length, 0) ** 3, 0, 1)
    hull = (np.abs(pen.u) < pen.length / 2) & (np.abs(pen.v) < taper * pen.width / 2)
    hull |= pen.within(0.9 * pen.length, 0)
    pen.paint(hull, str(pen.rng.choice(("roof_grey", "roof_red"))), tone=1.1, building_height=6)
    bridge = pen.within(0.16 * pen.length, 0.8 * pen.width, -0.36 * pen.length)
    pen.paint(bridge & hull, "roof_bright", tone=1.4, building_height=15)


def _stadium(pen: _Pen) -> None:
    reach = pen.oval(pen.length, pen.width)
    pen.paint(reach < 1, "roof_bright", tone=1.1, building_height=22)
    pen.paint(reach < 0.82, "concrete", tone=0.7, building_height=12)
    pen.paint(reach < 0.6, "grassland", tone=1.15, vigour=0.9)


def _storage_tank(pen: _Pen) -> None:
    reach = pen.oval(pen.length, pen.length)
    tone = pen.rng.uniform(0.9, 1.6)
    pen.paint(reach < 1, "roof_bright", tone=0.8 * tone, building_height=0.35 * pen.length)
    pen.paint(reach < 0.8, "roof_bright", tone=tone, building_height=0.35 * pen.length)


def _tennis_court(pen: _Pen) -> None:
    outer, inner = ("grassland", "roof_red") if pen.rng.random() < 0.5 else ("roof_red", "lake")
    pen.paint(pen.within(pen.length, pen.width), outer, tone=0.9, vigour=0.5)
    pen.paint(pen.within(0.66 * pen.length, 0.6 * pen.width), inner, tone=1.1, vigour=0.5)
    lines = pen.outline(0.66 * pen.length, 0.6 * pen.width) | pen.within(0.3, 0.66 * pen.width)
    lines |= pen.outline(0.36 * pen.length, 0.46 * pen.width)
    pen.paint(lines, "concrete", tone=2.2)


def _vehicle(pen: _Pen) -> None:
    shade = 0.35 + 4.5 * pen.rng.random() ** 1.5
    pen.paint(pen.within(pen.length, pen.width), "car", tone=shade, building_height=1.5)
    pen.paint(
        pen.within(0.5, 0.8 * pen.width, 0.2 * pen.length), "asphalt", tone=0.4, building_height=1.5
    )


@dataclass(frozen=True)
class _Kind:
    """One kind of object: metres of length, width relative to it, how many stand together."""

    paint: Callable[[_Pen], None]
    length: tuple[float, float]
    shape: float
    count: tuple[int, int] = (1, 1)
    water: bool = False
    pad: str | None = None


_KINDS: dict[str, _Kind] = {
    "airplane": _Kind(_airplane, (28, 60), 0.95, (1, 4), pad="concrete"),
    "airport": _Kind(_airport, (900, 1350), 0.4),
    "baseballfield": _Kind(_baseball_field, (70, 110), 1.42, (1, 2)),
    "basketballcourt": _Kind(_basketball_court, (26, 31), 0.55, (1, 3)),
    "bridge": _Kind(_bridge, (60, 150), 0.16),
    "groundtrackfield": _Kind(_ground_track_field, (140, 180), 0.52),
    "harbor": _Kind(_harbor, (120, 240), 0.5, (1, 2), water=True),
    "ship": _Kind(_ship, (40, 130), 0.19, (1, 5), water=True),
    "stadium": _Kind(_stadium, (170, 270), 0.82),
    "storagetank": _Kind(_storage_tank, (14, 36), 1.0, (3, 10), pad="bare_soil"),
    "tenniscourt": _Kind(_tennis_court, (33, 37), 0.5, (1, 4)),
    "vehicle": _Kind(_vehicle, (4.2, 5.6), 0.42, (3, 12), pad="asphalt"),
}

OBJECTS = tuple(_KINDS)


def place_objects(land: Landscape, key: Key, name: str) -> tuple[Landscape, list[Box]]:
    """Draw a group of objects, one of :data:`OBJECTS`, where there is room for them.

    Ships and harbours lie in water, the others on land; none overlaps another or the edge.

    Returns:
        The landscape with the objects, and the extent of each in pixels: first column, first row,
        column after the last, row after the last. Empty where none found room.

    Raises:
        EosfmError: Unknown name.
    """
    if name not in _KINDS:
        raise EosfmError(f"unknown object {name!r}; {suggest(name, OBJECTS)}")
    kind = _KINDS[name]
    rng = generator(key, "objects", name)
    free = land.shows(*WATER) == kind.water
    angle = rng.uniform(0, np.pi)
    u, v = rotate(*coordinates(land.size, land.gsd), angle)
    pen = _Pen(rng, land, u, v, land.gsd, 0, 0, np.zeros(land.size, bool))
    if kind.pad:
        extent = min(land.size) * land.gsd
        yard = pen.within(0.95 * extent, 0.8 * extent) & free
        pen.paint(yard, kind.pad, tone=0.9, body=False)
    boxes = []
    for _ in range(int(rng.integers(kind.count[0], kind.count[1] + 1))):
        for _ in range(ATTEMPTS):
            if _site(pen, kind, angle, free):
                kind.paint(pen)
                if not pen.body.any():  # no pixel's middle is in it, where these are large
                    continue
                free &= ~pen.within(pen.length + 4 * land.gsd, pen.width + 4 * land.gsd)
                boxes.append(_extent(pen.body))
                break
    return pen.land, boxes


def _site(pen: _Pen, kind: _Kind, angle: float, free: np.ndarray) -> bool:
    """Move the pen to a random place; whether an object of a random size has room there."""
    pen.length = pen.rng.uniform(*kind.length)
    pen.width = kind.shape * pen.length
    turned = angle + (np.pi / 2 if pen.rng.random() < 0.5 else 0)
    along, across = abs(np.cos(turned)), abs(np.sin(turned))
    height, width = (size * pen.gsd - 2 * pen.gsd for size in free.shape)
    room = (
        (height - pen.length * across - pen.width * along) / 2,
        (width - pen.length * along - pen.width * across) / 2,
    )
    south, east = pen.rng.uniform(-1, 1, 2) * room
    x, y = coordinates(pen.land.size, pen.gsd)
    pen.u, pen.v = rotate(x - east, y - south, turned)
    pen.body = np.zeros(free.shape, bool)
    place = free[pen.within(pen.length, pen.width)]  # between all pixels, where these are large
    return min(room) >= 0 and place.size > 0 and bool(place.all())


def _extent(body: np.ndarray) -> Box:
    rows, cols = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    return int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1
