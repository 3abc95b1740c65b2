"""The surface of the sea: kinds of water, and what floats on it.

Spectra of floating matter are round, plausible values set by hand after Kikaki et al. 2022
(doi:10.1371/journal.pone.0262247) and Hu 2022 (doi:10.1016/j.rse.2022.113082). They are no
measurements.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eosfm.core.bands import band
from eosfm.simulation.covers import code, reflectance, spectra
from eosfm.simulation.noise import Key, fractal, generator, rotate
from eosfm.simulation.optical import look

# Per cent reflectance of a pixel that the material fills.
_MATERIALS = {
    "plastic": (13, 14, 15, 15, 15, 15, 15, 16, 16, 15, 13, 12, 10),
    "algae": (3.0, 3.5, 6.0, 7.0, 12, 24, 29, 31, 31, 28, 16, 10, 5.0),
    "wood": (4.0, 5.0, 7.0, 10, 13, 17, 20, 23, 24, 24, 21, 22, 18),
    "hull": (17, 18, 18, 19, 19, 19, 20, 20, 20, 20, 19, 19, 18),
    "steel": (10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 15, 16, 16),
    "foam": (40, 42, 42, 40, 38, 34, 32, 28, 26, 18, 7.0, 5.0, 4.0),
    "film": (4.0, 4.4, 5.0, 5.6, 5.8, 6.2, 6.4, 6.8, 7.0, 7.2, 8.0, 8.5, 8.5),
    "jelly": (14, 14, 13, 12, 11, 9.0, 8.0, 6.0, 5.0, 3.0, 1.0, 0.6, 0.4),
    "mucus": (11, 13, 16, 16, 16, 15, 14, 13, 12, 8.0, 4.0, 3.0, 2.0),
}


@dataclass(frozen=True)
class Sea:
    """A piece of simulated sea; arrays are (H, W) unless said otherwise."""

    kind: np.ndarray  # uint8 position in KINDS
    turbidity: np.ndarray  # float32, 0 clear to 1 muddy
    floor: np.ndarray  # float32 share of the sea floor seen through the water
    glint: np.ndarray  # float32 reflectance of mirrored sun
    matter: np.ndarray  # (materials, H, W) float32 share of the pixel that each one covers


@dataclass
class _Brush:
    """Paints one floating thing in its own axes; arrays are (h, w) unless said otherwise."""

    rng: np.random.Generator
    gsd: float  # metres per pixel
    u: np.ndarray  # metres along the thing from its middle
    v: np.ndarray  # metres across
    matter: np.ndarray  # (materials, h, w) of the sea, changed in place
    glint: np.ndarray  # of the sea, changed in place
    kind: np.ndarray  # of the sea, changed in place

    def mark(self, name: str, there: np.ndarray) -> None:
        """Say what the sea shows in some pixels."""
        self.kind[there] = KINDS.index(name)

    def noise(self, scale: float) -> np.ndarray:
        """Fractal noise whose largest bumps measure ``scale`` metres."""
        return fractal(self.rng, self.u.shape, scale / self.gsd, 3, 0.6)

    def put(self, material: str, share: np.ndarray) -> np.ndarray:
        """Cover a share of every pixel; returns where there is enough of it to be told."""
        share = np.clip(share, 0, 1).astype(np.float32)
        self.matter *= 1 - share
        self.matter[list(_MATERIALS).index(material)] += share
        return share > 0.08

    def line(self, length: float, width: float) -> np.ndarray:
        """(h, w) 0 to 1, a drifting filament that frays and breaks."""
        bend = self.rng.uniform(0.08, 0.2) * length
        middle = bend * np.sin(self.u / (0.3 * length) + self.rng.uniform(0, 6)) / 2
        away = np.abs(self.v - middle - 0.5 * width * self.noise(60)) / width
        profile = np.clip(1.4 - away, 0, 1) * np.clip(2.2 - 4.4 * np.abs(self.u) / length, 0, 1)
        return profile * np.clip(0.8 + 0.5 * self.noise(40), 0, 1)

    def patch(self, length: float, width: float) -> np.ndarray:
        """(h, w) 0 to 1, a drifting patch with a ragged edge."""
        reach = np.hypot(self.u / length, self.v / width) * 2 + 0.28 * self.noise(0.5 * length)
        return np.clip(4 * (1 - reach), 0, 1)

    def box(self, length: float, width: float, u: float = 0.0) -> np.ndarray:
        """(h, w) 0 to 1, a rectangle with the shares of the pixels that it cuts."""
        along = (length / 2 - np.abs(self.u - u)) / self.gsd + 0.5
        across = (width / 2 - np.abs(self.v)) / self.gsd + 0.5
        return np.clip(along, 0, 1) * np.clip(across, 0, 1)


@dataclass(frozen=True)
class _Filament:
    """Paints a material that drifts in a line; ranges are least and greatest."""

    material: str
    length: tuple[float, float]  # metres
    width: tuple[float, float]  # metres
    share: tuple[float, float]  # of a pixel that the line fills
    below: tuple[str, float] | None = None  # another material in the line, and its share
    windrows: bool = False  # parallel lines of the same wind

    def __call__(self, brush: _Brush) -> np.ndarray:
        if self.windrows:
            brush.v = np.mod(brush.v + 200, 70) - 35
        line = brush.line(brush.rng.uniform(*self.length), brush.rng.uniform(*self.width))
        if self.below:
            brush.put(self.below[0], self.below[1] * line)
        return brush.put(self.material, brush.rng.uniform(*self.share) * line)


def _ship(brush: _Brush) -> np.ndarray:
    length, width = brush.rng.uniform(70, 220), brush.rng.uniform(18, 34)
    if brush.rng.random() < 0.5:  # under way: two arms of a wake behind the stern
        behind = -brush.u - length / 2
        arms = np.abs(np.abs(brush.v) - 0.25 * behind) < 9
        wake = np.clip(1 - behind / 220, 0, 1) * (behind > 0) * (arms + (np.abs(brush.v) < 10))
        brush.mark("waves", brush.put("foam", 0.16 * np.minimum(wake, 1)))
    tone = brush.rng.uniform(0.5, 1.0)
    hull = brush.box(length, width)
    deck = brush.box(0.18 * length, width, -0.35 * length)
    there = brush.put(str(brush.rng.choice(("hull", "steel"))), tone * hull)
    brush.put("hull", deck)
    return there & (hull > 0.5)


def _oil(brush: _Brush) -> np.ndarray:
    slick = brush.patch(brush.rng.uniform(240, 380), brush.rng.uniform(90, 200))
    # Oil smooths the waves: darker than its surroundings away from the sun's mirror image.
    brush.glint *= 1 - 0.85 * slick
    brush.glint += np.float32(brush.rng.choice((0.0, 0.012))) * slick
    brush.put("film", brush.rng.uniform(0.05, 0.35) * slick)
    return slick > 0.5


def _waves(brush: _Brush) -> np.ndarray:
    crests = np.clip(np.sin(brush.u * (2 * np.pi / brush.rng.uniform(45, 80))) - 0.3, 0, 1)
    area = brush.patch(brush.rng.uniform(200, 320), brush.rng.uniform(140, 240))
    brush.put("foam", 0.1 * crests * area)
    return area > 0.5


def _platform(brush: _Brush) -> np.ndarray:
    side = brush.rng.uniform(45, 80)
    deck = brush.box(side, side * brush.rng.uniform(0.7, 1.0))
    there = brush.put("steel", deck * np.clip(0.75 + 0.4 * brush.noise(25), 0.2, 1))
    brush.put("hull", brush.box(0.3 * side, 0.3 * side, 0.2 * side))
    return there & (deck > 0.4)


def _jellyfish(brush: _Brush) -> np.ndarray:
    patch = brush.patch(brush.rng.uniform(140, 240), brush.rng.uniform(90, 160))
    swarm = patch * np.clip(0.5 + brush.noise(max(20, 2 * brush.gsd)), 0, 1)
    brush.put("jelly", brush.rng.uniform(0.25, 0.5) * swarm)
    return patch > 0.5


def _mucilage(brush: _Brush) -> np.ndarray:
    swirl = np.sin(brush.v / 22 + 2.5 * brush.noise(120))
    patch = brush.patch(brush.rng.uniform(220, 340), brush.rng.uniform(120, 200))
    share = brush.rng.uniform(0.3, 0.7) * patch * np.clip(swirl, 0, 1)
    return brush.put("mucus", share)


_PAINTERS: dict[str, Callable[[_Brush], np.ndarray]] = {
    "debris": _Filament("plastic", (140, 300), (7, 14), (0.3, 0.7), below=("wood", 0.12)),
    "sargassum": _Filament("algae", (200, 360), (20, 38), (0.7, 1.0)),
    "algae": _Filament("algae", (200, 340), (5, 10), (0.25, 0.5), windrows=True),
    "organic": _Filament("wood", (140, 260), (9, 18), (0.35, 0.8), below=("algae", 0.15)),
    "ship": _ship,
    "oil": _oil,
    "foam": _Filament("foam", (120, 240), (8, 16), (0.4, 0.9)),
    "waves": _waves,
    "platform": _platform,
    "jellyfish": _jellyfish,
    "mucilage": _mucilage,
}
"""Painters of what floats; each returns (h, w) bool, where there is enough of it to be told."""

WATERS = ("clear", "turbid", "sediment", "shallow")
FLOATING = tuple(_PAINTERS)
KINDS = (*WATERS, *FLOATING)  # what a pixel of the sea may be


_GROUPS = {"debris": 3, "sargassum": 3, "organic": 2, "foam": 2, "ship": 2}
"""Most that are met together; of the others there is one."""

REACH = 200.0
"""Metres from its middle within which a floating thing is painted."""


def draw_sea(key: Key, size: tuple[int, int], gsd: float = 10.0, afloat: Sequence[str] = ()) -> Sea:
    """Draw a piece of sea: drifting water masses, and the few things that float on them.

    Most of the sea is empty: debris that a satellite can tell gathers in few filaments (Cozar et
    al. 2024, doi:10.1038/s41467-024-48674-7), and ships lie kilometres apart.

    Args:
        key: The same key, size, distance and things give the same sea.
        size: (H, W) in pixels.
        gsd: Metres per pixel.
        afloat: What floats there, of :data:`FLOATING`: one of each, or a small group.
    """
    rng = generator(key, "sea")
    extent = max(size)
    kind, turbidity, floor = _water(rng, size)
    chop = fractal(rng, size, 6, 3, 0.8) * fractal(rng, size, 0.5 * extent, 3)
    glint = np.float32(0.03 * rng.beta(0.8, 2.5)) * (1 + 0.25 * chop) + np.float32(0.004) * chop
    matter = np.zeros((len(_MATERIALS), *size), np.float32)
    half = round(REACH / gsd)
    for row, col, name in _places(rng, size, gsd, afloat):
        rows = slice(max(row - half, 0), min(row + half, size[0]))
        cols = slice(max(col - half, 0), min(col + half, size[1]))
        y, x = np.mgrid[rows, cols].astype(np.float32)
        u, v = rotate((x - col) * gsd, (y - row) * gsd, rng.uniform(0, 2 * np.pi))
        brush = _Brush(rng, gsd, u, v, matter[:, rows, cols], glint[rows, cols], kind[rows, cols])
        brush.mark(name, _PAINTERS[name](brush))
    return Sea(kind, turbidity, floor, np.maximum(glint, 0), matter)


def _water(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kind, turbidity and visible floor of the water masses, (H, W) each."""
    extent = max(size)
    plume = fractal(rng, size, 0.7 * extent, 5, 0.55) + rng.normal(0, 0.5)
    turbidity = np.clip(0.12 + 0.35 * plume, 0, 1)
    shoal = fractal(rng, size, 0.6 * extent, 4, 0.5) + rng.normal(-0.5, 0.4)
    floor = np.clip(0.7 * shoal, 0, 0.6) * np.clip(1 - 1.6 * turbidity, 0, 1)
    kind = np.digitize(turbidity, (0.22, 0.5)).astype(np.uint8)
    kind[floor > 0.12] = WATERS.index("shallow")
    return kind, turbidity.astype(np.float32), floor.astype(np.float32)


def _places(
    rng: np.random.Generator, size: tuple[int, int], gsd: float, afloat: Sequence[str]
) -> list[tuple[int, int, str]]:
    """Row, column and name of each thing; a group keeps together, things keep off the edge."""
    places = []
    for name in afloat:
        middle = rng.uniform(0.2, 0.8, 2) * size
        for _ in range(int(rng.integers(1, _GROUPS.get(name, 1) + 1))):
            away = rng.normal(0, 1.5 * REACH / gsd, 2) * (name in _GROUPS)
            row, col = np.clip(middle + away, 0.15 * np.array(size), 0.85 * np.array(size))
            places.append((round(row), round(col), name))
    return places


def observe_sea(sea: Sea, key: Key, bands: Sequence[str]) -> np.ndarray:
    """Look at the sea from above in sunlight; the scattering of the air's molecules is taken away.

    Args:
        sea: What lies there.
        key: Two keys are two passes over the same water.
        bands: Names of optical bands in the order of the channels.

    Returns:
        (C, H, W) uint16 reflectance times 10,000.

    Raises:
        EosfmError: A band is unknown or not optical.
    """
    centres = np.array([band(name).wavelength or 0.0 for name in bands])
    full, empty = (table[:, :, None, None] for table in spectra(centres))
    clear, muddy, sand = full[:, code("ocean")], empty[:, code("ocean")], full[:, code("sand")]
    # Water swallows red and infrared light on its way to the floor and back.
    through = np.interp(centres, [450, 560, 665, 750], [1, 0.8, 0.25, 0]).astype(np.float32)
    water = clear + sea.turbidity * (muddy - clear)
    water += sea.floor * (through[:, None, None] * sand - water) + sea.glint
    image = water * (1 - sea.matter.sum(axis=0))
    image += np.tensordot(reflectance(_MATERIALS.values(), centres), sea.matter, axes=1)
    return look(image, key, bands, "ocean", "rhorc")
