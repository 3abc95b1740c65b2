"""Painters of what people build: streets, houses, blocks, halls, highways, railways."""

from collections.abc import Sequence

import numpy as np

from eosfm.simulation.canvas import Canvas
from eosfm.simulation.covers import ROOFS, WATER, codes, cover_mask
from eosfm.simulation.noise import Cells, bricks, crowns, rotate

FINE_GSD = 1.3  # coarsest pixel, m, at which cars, garden trees and roof ridges are drawn


def _everywhere(canvas: Canvas) -> np.ndarray:
    return ~cover_mask(canvas.cover, *WATER)


def _blob(canvas: Canvas, radius: float) -> np.ndarray:
    """An irregular patch near the middle of the scene."""
    cx, cy = canvas.rng.uniform(-0.12, 0.12, 2) * canvas.extent
    reach = np.hypot(canvas.x - cx, canvas.y - cy) / radius + 0.3 * canvas.noise(1.2 * radius, 3)
    return (reach < 1) & _everywhere(canvas)


def houses(canvas: Canvas, mask: np.ndarray) -> None:
    """Detached houses in lots along streets, with gardens and trees."""
    blocks = _streets(canvas, mask, (95.0, 62.0), 7.0, bend=14)
    lots = _lots(blocks, 7.0, canvas.rng.uniform(15, 24))
    front, along, width = lots.v, lots.u, lots.width
    inside = mask & (blocks.edge() >= 3.5)
    lawn = 0.7 + 0.5 * canvas.per_cell(lots)
    canvas.paint(inside, "grassland", canopy=0.2, growth=lawn, tone=0.9 + 0.1 * lawn)
    yard = inside & (canvas.per_cell(lots) < 0.18)
    canvas.paint(yard, "concrete", tone=0.8 + 0.2 * lawn)
    _garden_trees(canvas, inside)
    r = [canvas.per_cell(lots) for _ in range(5)]
    half = width * (0.27 + 0.13 * r[0])
    setback, depth = 4 + 5 * r[1], 8 + 5 * r[2]
    body = (np.abs(along - width / 2) < half) & (front > setback) & (front < setback + depth)
    # A wing turns some of the houses into an L.
    wing = (np.abs(along - width / 2 + half / 2) < half / 2) & (front > setback)
    body |= wing & (front < setback + depth + 5) & (r[3] < 0.4)
    walk = inside & (np.abs(along - width / 2 - half) < 1.4) & (front < setback + 3)
    canvas.paint(walk, "concrete")
    ridge = np.sign(front - setback - depth / 2) * (0.14 if canvas.gsd <= FINE_GSD else 0.0)
    materials = canvas.rng.dirichlet((1.5, 1.5, 0.2))
    _roofs(
        canvas,
        inside & body & (r[4] < canvas.rng.uniform(0.6, 1.0)),
        lots,
        (4.5, 9),
        materials,
        ridge,
    )


def blocks_of_flats(canvas: Canvas, mask: np.ndarray) -> None:
    """The dense town: buildings around courtyards, squares and parks between."""
    blocks = _streets(canvas, mask, (105.0, 80.0), 12.0, bend=8)
    inside = mask & (blocks.edge() >= 6)
    kind = canvas.per_cell(blocks)
    canvas.paint(inside, "concrete", tone=0.72 + 0.25 * kind + 0.04 * canvas.noise(15, 2))
    garden = inside & ((canvas.noise(25, 2) > 0.9) | (kind < 0.1))
    canvas.paint(garden, "grassland", growth=0.8)
    _garden_trees(canvas, garden)
    houses_ = bricks(canvas.rng, blocks.u + 900, blocks.v + 900, (26, 22), 0.3)
    edge = blocks.edge()
    ring = (edge > 8) & (edge < 21 + 6 * canvas.per_cell(houses_))
    slab = (kind > 0.78) & (np.mod(blocks.u, 34) > 20) & (edge > 10)
    body = inside & np.where(kind > 0.78, slab, ring) & (kind >= 0.1)
    body &= canvas.per_cell(houses_) < 0.95
    _roofs(canvas, body, houses_, (12, 26), (3, 5, 1.2))


def halls(canvas: Canvas, mask: np.ndarray) -> None:
    """Industry and trade: large flat roofs among asphalt yards."""
    blocks = _streets(canvas, mask, (240.0, 170.0), 14.0, bend=20)
    inside = mask & (blocks.edge() >= 7)
    # Plots are cut anew in each block, else their edges would line up across streets.
    shift = 400 * canvas.per_cell(blocks)
    plots = bricks(canvas.rng, blocks.u + shift, blocks.v, (100, 70), 0.6)
    r = [canvas.per_cell(plots) for _ in range(4)]
    canvas.paint(inside, "asphalt", tone=0.8 + 0.5 * r[0])
    canvas.paint(inside & (r[0] > 0.7), "concrete", tone=0.7 + 0.4 * r[1])
    canvas.paint(inside & (r[0] < 0.16), "grassland", growth=0.8)
    if canvas.gsd <= FINE_GSD:
        _cars(canvas, inside & (r[0] >= 0.16) & (r[0] < 0.5), plots.u, plots.v, 0.45)
    body = inside & (plots.edge() > 7 + 12 * r[2]) & (r[1] < 0.86) & (blocks.edge() > 12)
    _roofs(canvas, body, plots, (7, 15), canvas.rng.dirichlet((0.5, 6, 2.5)))
    if canvas.gsd <= 12:
        top, _ = crowns(canvas.rng, plots.u, plots.v, 26.0, 0.0, 1.0, (0.36, 0.42))
        _roofs(canvas, inside & (r[1] > 0.94) & (top > 0), plots, (12, 16), (0, 1, 5))


def farm(canvas: Canvas) -> None:
    """A few large roofs in the open, with a track."""
    rng = canvas.rng
    u, v = rotate(canvas.x, canvas.y, canvas.angle)
    for _ in range(int(rng.integers(1, 4))):
        cu, cv = rng.uniform(-0.42, 0.42, 2) * canvas.extent
        near = (np.abs(u - cu) < 45) & (np.abs(v - cv) < 38) & _everywhere(canvas)
        if not near.any():
            continue
        canvas.paint(near & (canvas.noise(30, 2) > -0.5), "grassland", growth=0.9)
        yard = (np.abs(u - cu) < 30) & (np.abs(v - cv) < 24) & near
        canvas.paint(yard, "concrete", tone=0.85)
        plots = bricks(rng, u - cu, v - cv, (26, 20), 0.2)
        body = yard & (plots.edge() > 2.5)
        body &= canvas.per_cell(plots) < 0.75
        _roofs(canvas, body, plots, (5, 9), (4, 3, 1))


def greenhouses(canvas: Canvas) -> None:
    """Long parallel greenhouses in one corner."""
    u, v = rotate(canvas.x, canvas.y, canvas.angle)
    patch = _blob(canvas, 0.25 * canvas.extent)
    bays = bricks(canvas.rng, u, v, (120, max(14.0, 2.2 * canvas.gsd)), 0.1)
    body = patch & (bays.v > 3) & (bays.u > 8)
    tone = 0.8 + 0.3 * canvas.per_cell(bays)
    canvas.paint(body, "greenhouse", building=4, parcel=canvas.number(bays), tone=tone)


def village(canvas: Canvas) -> None:
    """Houses around the middle of the scene, fields beyond."""
    radius = canvas.rng.uniform(150, 330) * max(1.0, (canvas.gsd / 10) ** 0.5)
    country_road(canvas)
    houses(canvas, _blob(canvas, radius))


def hamlet(canvas: Canvas) -> None:
    """A handful of houses."""
    houses(canvas, _blob(canvas, canvas.rng.uniform(60, 120)))


def suburb(canvas: Canvas) -> None:
    """Houses everywhere, now and then a park."""
    houses(canvas, _everywhere(canvas) & ~_gaps(canvas, 1.5))


def city(canvas: Canvas) -> None:
    """Dense blocks, suburbs at the edge."""
    mask = _everywhere(canvas)
    core = canvas.noise(500, 2)
    for painter, part in (
        (houses, core < -0.8),
        (halls, core > 1.5),
        (blocks_of_flats, (core >= -0.8) & (core <= 1.5)),
    ):
        if part.any():
            painter(canvas, mask & part)


def estate(canvas: Canvas) -> None:
    """Halls on one part of the scene, as at the exits of highways."""
    cx, cy = canvas.rng.uniform(-0.45, 0.45, 2) * canvas.extent
    near = np.hypot(canvas.x - cx, canvas.y - cy) + 40 * canvas.noise(150, 3)
    halls(canvas, _everywhere(canvas) & (near < canvas.rng.uniform(80, 200)))


def industry(canvas: Canvas) -> None:
    """Halls over most of the scene."""
    halls(canvas, _everywhere(canvas) & ~_gaps(canvas, 1.0))


def _gaps(canvas: Canvas, rarity: float) -> np.ndarray:
    """Parks and fields left free; none in a scene no larger than a few blocks."""
    return (canvas.noise(380, 2) < -rarity) & (canvas.extent > 400)


def _streets(
    canvas: Canvas, mask: np.ndarray, size: tuple[float, float], width: float, bend: float
) -> Cells:
    """Blocks between streets; the streets are painted, the blocks returned."""
    u, v = rotate(canvas.x, canvas.y, canvas.angle)
    stretch = canvas.rng.uniform(0.8, 1.3)
    size = (size[0] * stretch, size[1] * stretch)
    u = u + bend * canvas.noise(320, 2)
    v = v + bend * canvas.noise(320, 2)
    blocks = bricks(canvas.rng, u, v, size, 0.3)
    edge = blocks.edge()
    street = mask & (edge < max(width / 2, 0.42 * canvas.gsd))
    canvas.paint(
        street, "asphalt", tone=canvas.rng.uniform(0.65, 1.25) + 0.08 * canvas.noise(12, 2)
    )
    if canvas.gsd <= FINE_GSD:
        canvas.paint(street & (edge > width / 2 - 1.3), "concrete", tone=0.9)
        _cars(canvas, street & (edge > width / 2 - 3.6) & (edge < width / 2 - 1.3), u, v, 0.3)
    return blocks


def _lots(blocks: Cells, street: float, width: float) -> Cells:
    """Two rows of lots in each block, back to back; u runs along the street, v away from it."""
    back = blocks.v > blocks.depth / 2
    front = np.where(back, blocks.depth - blocks.v, blocks.v) - street / 2
    number = np.maximum(np.floor((blocks.width - street) / width), 1)
    actual = (blocks.width - street) / number
    column = np.clip(np.floor((blocks.u - street / 2) / actual), 0, number - 1)
    along = blocks.u - street / 2 - column * actual
    columns = int(number.max()) + 1
    ids = (blocks.id * 2 + back) * columns + column.astype(np.int64)
    return Cells(ids, blocks.count * 2 * columns, along, front, actual, blocks.depth / 2)


def _roofs(
    canvas: Canvas,
    mask: np.ndarray,
    cells: Cells,
    heights: tuple[float, float],
    materials: Sequence[float] | np.ndarray,
    ridge: float | np.ndarray = 0.0,
) -> None:
    """Buildings on ``mask``, one per cell; ``materials`` weigh red, grey and bright roofs."""
    shares = np.cumsum(materials) / sum(materials)
    roof = codes(ROOFS)[np.searchsorted(shares, canvas.rng.random(cells.count))][cells.id]
    height = heights[0] + (heights[1] - heights[0]) * canvas.per_cell(cells)
    # The roofs of a quarter are much alike, of slate or tin, old or new.
    tone = canvas.rng.lognormal(-0.2, 0.38) * (0.72 + 0.5 * canvas.per_cell(cells) + ridge)
    canvas.paint(mask, roof, building=height, tone=tone, parcel=canvas.number(cells))


def _garden_trees(canvas: Canvas, mask: np.ndarray) -> None:
    if canvas.gsd <= FINE_GSD:
        top, which = crowns(canvas.rng, canvas.x, canvas.y, 8.0, 0.3, 0.33, (0.25, 0.55))
        height = (4 + 8 * which) * (0.3 + 0.7 * top)
        tone = (0.75 + 0.35 * top) * (0.8 + 0.3 * which)
        canvas.paint(mask & (top > 0), "broadleaf", canopy=height, tone=tone)
    else:
        trees = canvas.noise(max(14.0, 1.2 * canvas.gsd), 1) > canvas.rng.uniform(0.1, 1.7)
        canvas.paint(mask & trees, "broadleaf", canopy=7, tone=0.95)


def _cars(canvas: Canvas, mask: np.ndarray, u: np.ndarray, v: np.ndarray, presence: float) -> None:
    """Cars on a lattice of parking places."""
    slot_u, slot_v = np.floor(u / 2.9), np.floor(v / 5.6)
    hit = (u - slot_u * 2.9 < 1.9) & (v - slot_v * 5.6 < 4.4)
    low_u, low_v = slot_u.min(), slot_v.min()
    columns = int(slot_v.max() - low_v) + 1
    ids = ((slot_u - low_u) * columns + (slot_v - low_v)).astype(np.int64)
    count = int(ids.max()) + 1
    present, shade = (canvas.rng.random(count, dtype=np.float32)[ids] for _ in range(2))
    here = mask & hit & (present < presence)
    canvas.paint(here, "car", tone=0.3 + 3.0 * shade**2)


def _line(
    canvas: Canvas, width: float, curve: float, offset: float
) -> tuple[np.ndarray, np.ndarray]:
    """Metres across and along a long, nearly straight line through the scene."""
    rng = canvas.rng
    u, v = rotate(canvas.x, canvas.y, rng.uniform(0, np.pi))
    span = max(canvas.extent, 4 * width)
    bow = curve * span * np.sin(u / np.float32(span) * rng.uniform(0.8, 2.4) + rng.uniform(0, 6))
    middle = v - bow - rng.uniform(-offset, offset) * canvas.extent
    slope = np.hypot(*np.gradient(middle, np.float32(canvas.gsd)))
    return middle / np.maximum(slope, 0.5), u


def country_road(canvas: Canvas) -> None:
    """A paved road through the country."""
    across, _ = _line(canvas, 7, 0.09, 0.35)
    away = np.abs(across)
    canvas.paint(away < max(6.0, 0.3 * canvas.gsd), "grassland", growth=0.9)
    canvas.paint(away < max(3.5, 0.45 * canvas.gsd), "road", tone=0.95)


def track(canvas: Canvas) -> None:
    """An unpaved way."""
    across, _ = _line(canvas, 4, 0.14, 0.4)
    canvas.paint(np.abs(across) < max(2.0, 0.35 * canvas.gsd), "bare_soil", tone=0.9)


def highway(canvas: Canvas) -> None:
    """Two carriageways, verges, now and then a crossing road or a junction."""
    if canvas.rng.random() < 0.5:
        country_road(canvas)
    across, along = _line(canvas, 30, 0.12, 0.3)
    away = np.abs(across)
    verge = canvas.rng.uniform(16, 30)
    canvas.paint(away < verge, "grassland", growth=0.85, tone=0.95)
    lane = max(5.5, 0.5 * canvas.gsd)
    gap = 2.0 if canvas.gsd < 6 else 0.0
    lanes = (away > gap) & (away < gap + 2 * lane)
    canvas.paint(lanes, "road", tone=0.9 + 0.1 * canvas.noise(40, 2))
    if canvas.gsd <= FINE_GSD:
        marks = lanes & (np.abs(away - gap - lane) < 0.25) & (np.mod(along, 12) < 5)
        canvas.paint(marks, "concrete", tone=1.5)
        _cars(canvas, lanes, across, along / 4, 0.25)


def railway(canvas: Canvas) -> None:
    """A railway line."""
    across, _ = _line(canvas, 12, 0.06, 0.4)
    canvas.paint(np.abs(across) < max(5.0, 0.4 * canvas.gsd), "rail")
