"""What happens to a landscape between two dates."""

from collections.abc import Callable

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.simulation.canvas import Canvas
from eosfm.simulation.covers import (
    BUILDINGS,
    CODE,
    CROPS,
    ROOFS,
    VEGETATION,
    WATER,
    codes,
    phenology,
)
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Cells, Key, bricks, fractal, generator, rotate

OPEN = (
    *CROPS, "bare_field", "grassland", "pasture", "bare_soil", "shrub", "concrete", "sand", "heath",
)  # fmt: skip
"""Land that can be built on."""

BANKS = 0.6  # deviation of a field's height from its surroundings, metres
FURROWS = 0.4  # deviation of heights that are finer than a pixel, metres
NEAR = 100  # metres from standing water within which furrows hold some


def evolve(land: Landscape, key: Key, event: str, strength: float = 1.0) -> Landscape:
    """The same land after an event.

    - ``flood``: low land connected to water (or to the lowest point) becomes ``flood``.
    - ``burn``: a patch of vegetation becomes ``burned``.
    - ``construction``: new buildings, each with a new parcel number, on open land.
    - ``clearing``: some of the open land becomes bare in plots, or yards where people live.
    - ``demolition``: some buildings become ``bare_soil``.
    - ``damage``: some buildings are hit; ``damage`` holds 1 minor, 2 major, 3 destroyed.
    - ``season``: about 90 days pass per unit of strength.
    - ``snow``: snow covers all but water, walls of trees and the warm ground of towns.

    The strength is the extent relative to that of a usual event, 0 to about 3.

    Raises:
        EosfmError: Unknown event or negative strength.
    """
    if event not in _EVENTS:
        raise EosfmError(f"unknown event {event!r}; {suggest(event, EVENTS)}")
    if strength < 0:
        raise EosfmError(f"strength {strength}; give 0 or more")
    return _EVENTS[event](land, generator(key, "event", event), float(strength))


def _flood(land: Landscape, rng: np.random.Generator, strength: float) -> Landscape:
    water = land.shows(*WATER)
    # Fields lie between banks, each at a height of its own, and none is level.
    fields, field = np.unique(land.parcel, return_inverse=True)
    field = field.reshape(land.size)
    steps = np.where(fields > 0, rng.normal(0, BANKS, len(fields)), 0)[field]
    # A flood plain is nearly level.
    ragged = 0.1 * land.elevation + 0.4 * _noise(land, rng, 300, 6) + steps.astype(np.float32)
    source = water if water.any() else ragged <= np.quantile(ragged, 0.01)
    share = min(rng.uniform(0.12, 0.35) * strength, 0.9)
    dry = ragged[~water]
    if not dry.size or strength == 0:
        return land
    from scipy import ndimage

    depth = np.quantile(dry, share) - ragged
    labels, _ = ndimage.label((depth >= 0) | source)
    reached = np.isin(labels, np.unique(labels[source])) & ~water & (depth >= 0)
    # Where it is shallow, furrows and clods stand out; beyond, it fills furrows and hollows.
    under = np.clip(0.5 + (depth + FURROWS * _noise(land, rng, 40, 3, 0.8)) / (6 * FURROWS), 0, 1)
    near = ndimage.distance_transform_edt(~reached) * land.gsd <= NEAR
    wet = (under > 0.05) & near & ~water
    wet &= ~land.shows(*BUILDINGS) & (land.canopy_height < 6)
    # Crops and reeds stand out of shallow water in places; land that fell dry again is soaked.
    standing = np.clip(0.6 * _noise(land, rng, 90, 4, 0.7) - rng.normal(0.1, 0.3), 0, 0.85)
    margin = ndimage.gaussian_filter(reached.astype(np.float32), 120 / land.gsd)
    moisture = np.clip(land.moisture + rng.uniform(0.5, 2.5) * margin, 0, 1)
    silt = np.clip(rng.normal(0, 0.3, len(fields)), -0.5, 0.5)[field]
    return land.change(moisture=moisture).covered(
        wet, "flood", moisture=under,
        tone=1 + 0.1 * _noise(land, rng, 200, 3) + silt, vigour=land.vigour * standing,
    )  # fmt: skip


def _burn(land: Landscape, rng: np.random.Generator, strength: float) -> Landscape:
    h, w = land.size
    rows, cols = np.mgrid[:h, :w].astype(np.float32)
    cy, cx = rng.uniform(0.3, 0.7, 2)
    share = min(rng.uniform(0.1, 0.4) * strength, 1.0)
    reach = np.hypot((rows - cy * h) / h, (cols - cx * w) / w) / max((share / np.pi) ** 0.5, 1e-6)
    reach = reach + 0.3 * fractal(rng, (h, w), 0.35 * min(h, w), 6, 0.6)
    fuel = land.shows(*VEGETATION)
    mask = (reach < 1) & fuel & (fractal(rng, (h, w), 0.05 * min(h, w), 3) < 1.6)
    return land.covered(mask, "burned", tone=0.9 + 0.18 * _noise(land, rng, 90, 4))


def _construction(land: Landscape, rng: np.random.Generator, strength: float) -> Landscape:
    # Lots as in a suburb; only those that lie wholly on open land are built on.
    canvas = Canvas(rng, land.size, land.gsd, land.angle)
    u, v = rotate(canvas.x, canvas.y, land.angle)
    length, width = (64.0, 48.0) if rng.random() < 0.3 else (24.0, 21.0)
    floor = 3.2 * land.gsd
    lots = bricks(rng, u, v, (max(length, floor), max(width, floor)), 0.25)
    margin = np.maximum(0.18 * np.minimum(lots.width, lots.depth), 0.5 * land.gsd)
    notch = canvas.per_cell(lots)
    body = lots.edge() > margin * (0.8 + 0.6 * notch)
    body &= ~((notch > 0.6) & (lots.u > 0.55 * lots.width) & (lots.v > 0.55 * lots.depth))
    open_land = land.shows(*OPEN)
    blocked = lots.total(body & ~open_land) > 0
    pull = lots.mean(canvas.noise(90, 2))
    free = np.flatnonzero(~blocked & _interior(lots) & (lots.total(body) > 0))
    count = min(len(free), int(np.ceil(min(rng.uniform(0.15, 0.6) * strength, 1.0) * len(free))))
    chosen = np.zeros(lots.count, dtype=bool)
    chosen[free[np.argsort(-pull[free], kind="stable")[:count]]] = True
    mask = body & chosen[lots.id]
    roof = codes(ROOFS)[rng.choice(3, lots.count, p=(0.2, 0.5, 0.3))][lots.id]
    height = 4 + 6 * canvas.per_cell(lots)
    tone = 0.8 + 0.4 * canvas.per_cell(lots)
    number = land.parcel.max() + 1 + lots.id
    return land.covered(mask, roof, tone=tone, building_height=height, parcel=number)


def _interior(cells: Cells) -> np.ndarray:
    """(count,) bool: cells that the scene's edge does not cut."""
    inside = np.ones(cells.count, dtype=bool)
    for edge in (cells.id[0], cells.id[-1], cells.id[:, 0], cells.id[:, -1]):
        inside[edge] = False
    return inside


def _some_buildings(
    land: Landscape, rng: np.random.Generator, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) bool of the chosen buildings, and (H, W) number 0 to 1 of each building."""
    numbers, index = np.unique(land.parcel, return_inverse=True)
    index = index.reshape(land.size)
    chosen = (rng.random(len(numbers)) < share)[index] & land.shows(*BUILDINGS)
    return chosen, rng.random(len(numbers), dtype=np.float32)[index]


def _clearing(land: Landscape, rng: np.random.Generator, strength: float) -> Landscape:
    # Earthworks, storage yards and car parks look as a building site does, and nothing is built;
    # fields that are tilled in parts, under film or glass are as patchy.
    from scipy.ndimage import uniform_filter

    canvas = Canvas(rng, land.size, land.gsd, land.angle)
    u, v = rotate(canvas.x, canvas.y, land.angle)
    floor = 2.6 * land.gsd
    yards = bricks(rng, u, v, (110.0, 140.0), 0.4)
    plots = bricks(rng, u, v, (max(32.0, floor), max(26.0, floor)), 0.3)
    built = land.shows(*BUILDINGS).astype(np.float32)
    settled = uniform_filter(built, max(1, round(300 / land.gsd))) > 0.04
    mask = (canvas.per_cell(yards) < 0.12 * strength) & (canvas.per_cell(plots) < 0.5)
    covers = codes(("bare_soil", "concrete", "asphalt"))
    cover = rng.choice(covers, plots.count, p=(0.5, 0.35, 0.15))[plots.id]
    rural = rng.choice(covers, plots.count, p=(0.6, 0.3, 0.1))[plots.id]
    cover = np.where(settled, cover, rural)
    tone = np.exp(0.25 * rng.normal(size=plots.count))[plots.id]
    tone = tone * (1 + 0.08 * _noise(land, rng, 40, 2))
    return land.covered(mask & land.shows(*OPEN, "asphalt"), cover, tone=tone)


def _demolition(land: Landscape, rng: np.random.Generator, strength: float) -> Landscape:
    chosen, _ = _some_buildings(land, rng, min(0.3 * strength, 1.0))
    return land.covered(chosen, "bare_soil", tone=1 + 0.1 * _noise(land, rng, 8, 2))


def _damage(land: Landscape, rng: np.random.Generator, strength: float) -> Landscape:
    hit, grade = _some_buildings(land, rng, min(0.5 * strength, 1.0))
    level = np.where(hit, np.where(grade < 0.3, 1, np.where(grade < 0.6, 2, 3)), 0)
    grain = _noise(land, rng, max(3.0, land.gsd), 2, 0.8)
    holes = ((level == 1) & (grain > 1.3)) | ((level == 2) & (grain > 0.2))
    rubble = np.where(grain > 0, CODE["concrete"], CODE["bare_soil"]).astype(np.uint8)
    after = land.covered(
        level == 3, rubble, tone=np.clip(0.85 + 0.25 * grain, 0.3, 2), building_height=1.0
    )
    keep = {"building_height": land.building_height * 0.6, "parcel": land.parcel}
    after = after.covered(holes, "bare_soil", tone=np.clip(0.6 + 0.2 * grain, 0.2, 2), **keep)
    return after.change(damage=np.maximum(land.damage, level).astype(np.uint8), parcel=land.parcel)


def _season(land: Landscape, rng: np.random.Generator, strength: float) -> Landscape:
    days = round(90 * strength)
    doy = (land.doy - 1 + days) % 365 + 1
    before, after = phenology(land.doy), phenology(doy)
    ratio = (after / np.maximum(before, 0.02))[land.cover]
    # Growth that was cut off at 1 before must not multiply: move towards the new mean instead.
    vigour = np.minimum(land.vigour * ratio, after[land.cover] * 1.35)
    drift = 1 + 0.06 * _noise(land, rng, 150, 3)
    moisture = np.clip(land.moisture + rng.normal(0, 0.12), 0, 1)
    return land.change(
        doy=doy,
        vigour=np.clip(vigour * drift, 0, 1).astype(np.float32),
        moisture=np.where(land.shows(*WATER), 1, moisture).astype(np.float32),
    )


def _snow(land: Landscape, rng: np.random.Generator, strength: float) -> Landscape:
    relief = land.elevation - land.elevation.mean()
    depth = 0.6 * strength + 0.01 * relief + 0.5 * _noise(land, rng, 250, 4)
    bare = land.shows(*WATER, "flood", "ice", "asphalt", "road", "car")
    mask = (depth > 0.2) & ~bare & (land.canopy_height < 4)
    keep = {"building_height": land.building_height, "parcel": land.parcel}
    return land.covered(mask, "snow", tone=0.95 + 0.03 * _noise(land, rng, 60, 3), **keep)


def _noise(
    land: Landscape, rng: np.random.Generator, scale: float, octaves: int, roughness: float = 0.5
) -> np.ndarray:
    return fractal(rng, land.size, scale / land.gsd, octaves, roughness)


_EVENTS: dict[str, Callable[[Landscape, np.random.Generator, float], Landscape]] = {
    "flood": _flood,
    "burn": _burn,
    "construction": _construction,
    "clearing": _clearing,
    "demolition": _demolition,
    "damage": _damage,
    "season": _season,
    "snow": _snow,
}
EVENTS = tuple(_EVENTS)
