"""Painters of open land: fields, orchards, pastures, forests, bare ground, ice."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from eosfm.simulation.canvas import Canvas
from eosfm.simulation.covers import codes
from eosfm.simulation.noise import Cells, bricks, crowns, rotate

ROW_GSD = 1.6  # coarsest pixel, m, at which single trees and crop rows are drawn
LANE_GSD = 6.0  # coarsest pixel, m, at which tramlines and rows of vines or trees are seen


def parcels(canvas: Canvas, size: tuple[float, float], wobble: float) -> Cells:
    """Cut the land into fields: rectangles where ``wobble`` is 0, rounded and crooked towards 1."""
    u, v = rotate(canvas.x, canvas.y, canvas.angle)
    if wobble:
        reach = wobble * min(size)
        u = u + reach * canvas.noise(2.0 * max(size), 2)
        v = v + reach * canvas.noise(2.0 * max(size), 2)
    return bricks(canvas.rng, u, v, size, 0.35)


def _ripple(canvas: Canvas, cells: Cells, period: float) -> np.ndarray:
    """Parallel lines along each parcel, -1 to 1: working direction and its traces."""
    across = np.where(cells.width > cells.depth, cells.v, cells.u)
    return np.sin(across * np.float32(2 * np.pi / period))


def _crops(mix: Mapping[str, float], canvas: Canvas, mask: np.ndarray, cells: Cells) -> None:
    """Arable parcels, each with one crop of the mix; regions differ in what they sow most."""
    weights = np.array(list(mix.values())) * canvas.rng.gamma(0.7, size=len(mix))
    shares = np.cumsum(weights) / weights.sum()
    choice = codes(mix)[np.searchsorted(shares, canvas.rng.random(cells.count))][cells.id]
    tone = 0.78 + 0.44 * canvas.per_cell(cells)
    growth = 0.55 + 0.6 * canvas.per_cell(cells)
    growth = growth * (1 + 0.14 * canvas.noise(120, 3))
    if canvas.gsd <= ROW_GSD:
        rows = _ripple(canvas, cells, max(1.5, 3.0 * canvas.gsd))
        growth = growth * (0.86 + 0.16 * rows) - 0.5 * (_ripple(canvas, cells, 24.0) > 0.985)
        growth = growth * (1 + 0.3 * canvas.noise(12, 3, 0.8))  # gaps, weeds, lodging
        tone = tone * (1 + 0.07 * rows + 0.1 * canvas.noise(5, 2, 0.8))
    elif canvas.gsd <= LANE_GSD:
        lines = _ripple(canvas, cells, 24.0)
        growth = growth + 0.10 * lines
        tone = tone * (1 + 0.03 * lines)
    number = canvas.number(cells)
    canvas.paint(mask, choice, canopy=0.6 * growth, tone=tone, growth=growth, parcel=number)
    margin = mask & (cells.edge() < max(1.5, 0.3 * canvas.gsd))
    canvas.paint(margin, "grassland", tone=0.95, growth=growth)
    if canvas.gsd <= ROW_GSD:
        # Single trees, and groups of them, stand in fields of all but the largest farms.
        _trees(canvas, mask & (canvas.noise(35, 3, 0.7) > 1.5), "broadleaf", height=7, spacing=5)


def _meadow(canvas: Canvas, mask: np.ndarray, cells: Cells) -> None:
    """Pastures between hedges, with scattered trees."""
    growth = 0.85 + 0.4 * canvas.per_cell(cells)
    tone = 0.8 + 0.3 * canvas.per_cell(cells)
    growth = growth * (1 + 0.16 * canvas.noise(60, 4, 0.7))
    number = canvas.number(cells)
    canvas.paint(mask, "pasture", canopy=0.2, tone=tone, growth=growth, parcel=number)
    hedge = cells.edge() < max(3.0, 0.45 * canvas.gsd)
    hedge &= canvas.noise(70, 2) > -0.6
    _trees(canvas, mask & hedge, "broadleaf", height=7, spacing=4)
    trees = canvas.noise(max(18.0, 2 * canvas.gsd), 1) > 2.2
    _trees(canvas, mask & trees, "broadleaf", height=12, spacing=9)


def _plantation(
    name: str,
    spacing: tuple[float, float],
    height: float,
    canvas: Canvas,
    mask: np.ndarray,
    cells: Cells,
) -> None:
    """Trees on a lattice of ``spacing`` metres, or vines in stripes where its second step is 0.

    Where the pixel is too coarse for rows, a parcel is soil or grass with some share of leaves: its
    colour is that of a field half grown, and its shape and neighbours tell it from one.
    """
    growth = 0.75 + 0.4 * canvas.per_cell(cells)
    tone = 0.85 + 0.3 * canvas.per_cell(cells)
    # Between the rows lies soil or grass.
    base = 0.15 + 0.7 * canvas.per_cell(cells)
    # Trees closer than three pixels are no longer seen one by one; blocks and lanes still are.
    pitch, along = (max(step, 3.0 * canvas.gsd) for step in spacing)
    if canvas.gsd > LANE_GSD:
        closed = 0.15 + 0.6 * canvas.per_cell(cells)
        top = np.clip(closed + 0.12 * canvas.noise(2.5 * canvas.gsd, 2, 0.8), 0, 1)
    elif spacing[1]:
        top, which = crowns(canvas.rng, cells.u, cells.v, (pitch, along), 0.06, 0.96, (0.36, 0.48))
        top = top * (0.8 + 0.2 * which)
    else:
        top = np.clip(_ripple(canvas, cells, pitch) * 0.9 + 0.2, 0, 1)
    canvas.paint(
        mask, name, canopy=height * top, tone=tone * (1.08 - 0.14 * top),
        growth=growth * (base + (1.05 - base) * top), parcel=canvas.number(cells),
    )  # fmt: skip


def _trees(
    canvas: Canvas, mask: np.ndarray, name: str, height: float | np.ndarray, spacing: float
) -> None:
    """Trees on ``mask``; single crowns where the pixel is fine enough."""
    if canvas.gsd <= ROW_GSD:
        top, which = crowns(canvas.rng, canvas.x, canvas.y, spacing, 0.32, 1.0, (0.5, 0.78))
        canopy = height * (0.25 + 0.75 * top) * (0.75 + 0.4 * which)
        tone = (0.72 + 0.34 * top) * (0.85 + 0.3 * which)
    else:
        grain = canvas.noise(max(2.2 * spacing, 1.5 * canvas.gsd), 2, 0.8)
        canopy = height * (0.9 + 0.1 * grain)
        tone = 0.95 + 0.07 * grain
    canvas.paint(mask, name, canopy=np.clip(canopy, 0, 48), tone=tone)


def _forest(name: str, spacing: float, canvas: Canvas, mask: np.ndarray, cells: Cells) -> None:
    """Closed stands of different age."""
    height = 24 * canvas.per_cell(cells) ** 0.6 + 4 + 4 * canvas.noise(300, 3)
    _trees(canvas, mask, name, np.clip(height, 2, 45), spacing)
    canvas.growth[mask] *= (1 + 0.1 * canvas.noise(150, 3))[mask]
    gap = mask & (canvas.noise(45, 2) > 2.1)
    canvas.paint(gap, "shrub", canopy=1.5, growth=0.9)


def _grass(canvas: Canvas, mask: np.ndarray, cells: Cells) -> None:
    """Natural grassland: no edges, patchy at all scales."""
    patch = canvas.noise(160, 5, 0.75)
    lush = canvas.rng.uniform(0.1, 1.0)  # dry slopes to wet meadows
    canvas.paint(
        mask,
        "grassland",
        canopy=0.3,
        growth=lush * (1 + 0.25 * patch),
        tone=canvas.rng.lognormal(0.05, 0.2) * (1 + 0.10 * patch),
    )
    bare = mask & (canvas.noise(90, 4, 0.7) - 1.8 * lush > 0.5)
    canvas.paint(bare, "bare_soil", tone=0.9 + 0.06 * patch)
    bushes = mask & (canvas.noise(max(14.0, canvas.gsd), 2) > 2.4)
    _trees(canvas, bushes, "shrub", 2.5, 4)


def _scrub(
    name: str, height: float, gaps: float, canvas: Canvas, mask: np.ndarray, cells: Cells
) -> None:
    """Low bushes that leave gaps of grass."""
    patch = canvas.noise(110, 4, 0.7)
    _grass(canvas, mask, cells)
    density = canvas.noise(max(16.0, 1.3 * canvas.gsd), 3, 0.7) + 0.5 * patch
    clump = density > gaps + canvas.rng.normal(0.3, 0.8)  # scattered bushes to thickets
    _trees(canvas, mask & clump, name, height * (1 + 0.2 * patch), 3.0)


def _wetland(canvas: Canvas, mask: np.ndarray, cells: Cells) -> None:
    """Reeds and sedges between pools."""
    patch = canvas.noise(140, 4, 0.7)
    canvas.paint(mask, "wetland", canopy=1.2, tone=1 + 0.1 * patch, growth=0.9 + 0.2 * patch)
    canvas.wet[mask] += 0.5
    canvas.paint(mask & (canvas.noise(90, 3, 0.6) > 1.25), "lake", tone=1.1)


def _ground(
    name: str, scale: float, contrast: float, canvas: Canvas, mask: np.ndarray, cells: Cells
) -> None:
    """Ground on which nothing grows."""
    canvas.paint(mask, name, tone=1 + contrast * canvas.noise(scale, 5, 0.7))


def _sand(canvas: Canvas, mask: np.ndarray, cells: Cells) -> None:
    """Dunes: long crests across the wind, one side lit."""
    u, _ = rotate(canvas.x, canvas.y, canvas.angle)
    warped = u + 25 * canvas.noise(180, 3)
    crest = np.sin(warped * np.float32(2 * np.pi / max(60.0, 4 * canvas.gsd)))
    canvas.paint(mask, "sand", tone=1 + 0.08 * crest + 0.03 * canvas.noise(300, 2))


def _ice(canvas: Canvas, mask: np.ndarray, cells: Cells) -> None:
    """Glacier ice: flow stripes, crevasses across, snow above."""
    u, v = rotate(canvas.x, canvas.y, canvas.angle)
    lines = 2 * np.pi / max(140.0, 6 * canvas.gsd)
    rifts = 2 * np.pi / max(30.0, 3 * canvas.gsd)
    flow = np.sin((u + 60 * canvas.noise(500, 2)) * np.float32(lines))
    cracks = np.sin((v + 15 * canvas.noise(120, 2)) * np.float32(rifts))
    canvas.paint(mask, "ice", tone=1 + 0.06 * flow - 0.12 * (cracks > 0.8))


_ARABLE = {"cereal": 4, "maize": 2.4, "rapeseed": 1.4, "vegetable": 1, "bare_field": 1.6}
_GARDENS = {"maize": 3, "vegetable": 2, "rice": 1, "cereal": 1.2, "bare_field": 1.4}

ZONES: dict[str, Callable[[Canvas, np.ndarray, Cells], None]] = {
    "arable": partial(_crops, _ARABLE),
    "garden_crops": partial(_crops, _GARDENS),
    "paddies": partial(_crops, {"rice": 5, "vegetable": 1, "bare_field": 0.5}),
    "meadow": _meadow,
    "orchard": partial(_plantation, "orchard", (6.0, 5.0), 4.0),
    "olive": partial(_plantation, "olive", (9.0, 9.0), 4.5),
    "vineyard": partial(_plantation, "vineyard", (2.4, 0.0), 1.6),
    "conifer": partial(_forest, "conifer", 5.0),
    "broadleaf": partial(_forest, "broadleaf", 8.0),
    "mixed_forest": partial(_forest, "mixed_forest", 6.5),
    "grass": _grass,
    "shrub": partial(_scrub, "shrub", 2.5, -0.7),
    "heath": partial(_scrub, "heath", 0.7, -1.2),
    "wetland": _wetland,
    "rock": partial(_ground, "rock", 120, 0.14),
    "soil": partial(_ground, "bare_soil", 200, 0.10),
    "snow": partial(_ground, "snow", 300, 0.03),
    "sand": _sand,
    "ice": _ice,
}
"""Painters of the land by the name used in themes."""
