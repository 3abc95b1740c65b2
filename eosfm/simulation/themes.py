"""Drawing a landscape: what kinds of scene there are, and how each is painted.

Scenes of one kind differ in soil, season and drought as much as kinds differ from each other: in
EuroSAT annual and permanent crops, highways and rivers are what a classifier confuses (Helber et
al. 2019, doi:10.1109/JSTARS.2019.2918242), and benchmarks/yardsticks.py says how much by colour.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.simulation import settlement, water
from eosfm.simulation.canvas import Canvas
from eosfm.simulation.covers import WATER, cover_mask, phenology
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Cells, Key, generator
from eosfm.simulation.vegetation import ZONES, parcels


@dataclass(frozen=True)
class Theme:
    """A kind of scene."""

    zones: dict[str, float]  # weights of the land painters (keys of vegetation.ZONES)
    parcel: tuple[float, float] = (220.0, 300.0)  # mean field size in metres
    wobble: float = 0.08  # 0 for straight field edges, towards 1 for crooked ones
    scale: float = 450.0  # size of a zone in metres
    relief: float = 25.0  # height of the hills in metres
    features: tuple[tuple[Callable[[Canvas], None], float], ...] = ()  # painters and their chance
    mood: float = 0.8  # how far the zone weights vary from scene to scene
    by_height: bool = False  # zones by elevation, lowest first, instead of at random
    snap: float = 0.75  # how closely zones follow field edges, 0 (natural) to 1 (farmed)


_COUNTRY = {
    "arable": 1.0, "meadow": 0.8, "broadleaf": 0.5, "mixed_forest": 0.3, "conifer": 0.4,
    "grass": 0.5,
}  # fmt: skip
_road, _track, _farm = settlement.country_road, settlement.track, settlement.farm

_THEMES: dict[str, Theme] = {
    "mixed": Theme(
        {**_COUNTRY, "shrub": 0.2, "orchard": 0.15, "wetland": 0.1},
        relief=60, scale=700,
        features=((water.river, 0.3), (water.pond, 0.3), (_road, 0.6), (settlement.village, 0.3),
                  (settlement.highway, 0.12), (_farm, 0.4)),
    ),
    "cropland": Theme(
        {"arable": 1.0, "meadow": 0.1, "broadleaf": 0.06}, (230, 340), 0.05, mood=0.5, relief=40,
        features=((_road, 0.3), (_track, 0.4), (_farm, 0.3), (settlement.hamlet, 0.1)),
    ),
    "pasture": Theme(
        {"meadow": 1.0, "broadleaf": 0.15, "arable": 0.15}, (130, 190), 0.22, relief=70, mood=0.5,
        features=((water.pond, 0.1), (_road, 0.25), (_track, 0.2), (_farm, 0.3)),
    ),
    "orchard": Theme(
        {"orchard": 1.0, "vineyard": 1.0, "olive": 0.8, "arable": 0.4, "shrub": 0.2, "meadow": 0.1},
        (70, 190), 0.18, mood=1.2, relief=80, scale=300,
        features=((_road, 0.3), (_track, 0.6), (_farm, 0.4), (settlement.hamlet, 0.15)),
    ),
    "forest": Theme(
        {"broadleaf": 1, "conifer": 1, "mixed_forest": 1, "shrub": 0.05}, relief=150, mood=1.5,
        snap=0.3, features=((_track, 0.5), (_road, 0.15)),
    ),
    "conifer": Theme({"conifer": 1}, relief=180, features=((_track, 0.4),)),
    "broadleaf": Theme({"broadleaf": 1}, relief=120, features=((_track, 0.4),)),
    "grassland": Theme(
        {"grass": 1.0, "shrub": 0.15, "broadleaf": 0.04}, relief=150, mood=0.5, snap=0.0,
        features=((_track, 0.7), (_road, 0.2)),
    ),
    "shrub": Theme(
        {"shrub": 1.0, "heath": 0.5, "grass": 0.5, "rock": 0.05}, relief=180, snap=0.0,
        features=((_track, 0.6), (_road, 0.1)),
    ),
    "wetland": Theme(
        {"wetland": 1.0, "grass": 0.25}, relief=4, snap=0.0, features=((water.pond, 0.5),)
    ),
    "coast": Theme(
        {**_COUNTRY, "heath": 0.3}, features=((water.coast, 1.0), (settlement.hamlet, 0.3))
    ),
    "sea": Theme({"grass": 1}, relief=0, features=((water.sea, 1.0),)),
    "lake": Theme(_COUNTRY, relief=40, features=((water.lake, 1.0), (settlement.hamlet, 0.15))),
    "river": Theme(_COUNTRY, relief=30, features=((water.river, 1.0), (_road, 0.3), (_farm, 0.2))),
    "village": Theme(
        {"arable": 1.0, "meadow": 0.8, "broadleaf": 0.2}, (130, 190), 0.1,
        features=((water.river, 0.1), (settlement.village, 1.0)),
    ),
    "residential": Theme(
        {"meadow": 1.0, "grass": 1.0, "broadleaf": 0.4}, features=((settlement.suburb, 1.0),)
    ),
    "city": Theme({"meadow": 1.0}, features=((water.river, 0.15), (settlement.city, 1.0),
                                                (settlement.highway, 0.12))),
    "industrial": Theme(
        {"arable": 1.0, "meadow": 0.6},
        features=((settlement.railway, 0.4), (settlement.industry, 1.0)),
    ),
    "highway": Theme(
        _COUNTRY,
        features=((_farm, 0.2), (_track, 0.2), (settlement.estate, 0.5), (settlement.village, 0.2),
                  (settlement.highway, 1.0)),
    ),
    "mountain": Theme(
        {"conifer": 1.1, "grass": 0.9, "rock": 1.0, "snow": 0.8}, relief=700, scale=900,
        by_height=True,
    ),
    "glacier": Theme(
        {"ice": 1.4, "rock": 0.6, "snow": 0.7}, relief=300, scale=900, by_height=True,
        features=((water.fjord, 0.9),),
    ),
    "desert": Theme({"sand": 1.0, "rock": 0.4, "soil": 0.6}, relief=50, scale=800, snap=0.0),
    "smallholder": Theme(
        {"garden_crops": 1.0, "paddies": 0.3, "grass": 0.25, "shrub": 0.2, "broadleaf": 0.25,
         "orchard": 0.2},
        (48, 70), 0.2, scale=200,
        features=((water.pond, 0.3), (_road, 0.5), (_track, 0.5),
                  (settlement.greenhouses, 0.12), (settlement.hamlet, 0.5), (_farm, 0.3)),
    ),
}  # fmt: skip

THEMES = tuple(_THEMES)


def draw_landscape(
    key: Key, size: tuple[int, int], gsd: float = 10.0, theme: str = "mixed", doy: int = 180
) -> Landscape:
    """Draw a landscape.

    Args:
        key: The same key, size and further arguments give the same landscape.
        size: (H, W) in pixels.
        gsd: Metres per pixel; only what is visible at that distance is drawn.
        theme: One of :data:`THEMES`.
        doy: Day of the year.

    Raises:
        EosfmError: Unknown theme, or a size or distance out of range.
    """
    if theme not in _THEMES:
        raise EosfmError(f"unknown theme {theme!r}; {suggest(theme, THEMES)}")
    if min(size) < 8:
        raise EosfmError(f"landscape of {size[0]} x {size[1]} pixels; give at least 8 x 8")
    if not 0.05 <= gsd <= 1000:
        raise EosfmError(f"gsd {gsd} m; give 0.05 to 1000")
    kind = _THEMES[theme]
    rng = generator(key, "landscape", theme)
    canvas = Canvas(rng, size, gsd, angle=rng.uniform(0, np.pi))
    relief = canvas.noise(max(kind.scale * 2, 150), 5, 0.45)
    canvas.elevation += np.float32(kind.relief / 2) * relief
    _paint_zones(canvas, kind, relief)
    for painter, chance in kind.features:
        if rng.random() < chance:
            painter(canvas)
    return _finish(canvas, doy)


def _paint_zones(canvas: Canvas, theme: Theme, relief: np.ndarray) -> None:
    cells = parcels(canvas, theme.parcel, theme.wobble)
    if len(theme.zones) == 1:
        zone = np.zeros(canvas.size, dtype=int)
    elif theme.by_height:
        zone = _zones_by_height(canvas, theme, relief)
    else:
        zone = _zones_at_random(canvas, theme, cells)
    for place, name in enumerate(theme.zones):
        mask = zone == place
        if mask.any():
            ZONES[name](canvas, mask, cells)


def _zones_by_height(canvas: Canvas, theme: Theme, relief: np.ndarray) -> np.ndarray:
    weights = np.array(list(theme.zones.values()))
    weights = weights * np.exp(theme.mood * canvas.rng.standard_normal(len(weights)))
    ragged = relief + 0.14 * canvas.noise(120, 4, 0.7)
    cuts = np.quantile(ragged, np.cumsum(weights / weights.sum())[:-1])
    return np.searchsorted(cuts, ragged.ravel()).reshape(ragged.shape)


def _zones_at_random(canvas: Canvas, theme: Theme, cells: Cells) -> np.ndarray:
    """The zone with the greatest score; scores are mostly constant within a parcel."""
    scores = []
    for weight in theme.zones.values():
        noise = canvas.noise(theme.scale, 3)
        snapped = theme.snap * cells.mean(noise).astype(np.float32)[cells.id]
        bias = np.log(weight) + theme.mood * canvas.rng.standard_normal()
        scores.append(snapped + (1 - theme.snap) * noise + np.float32(bias))
    return np.argmax(scores, axis=0)


def _finish(canvas: Canvas, doy: int) -> Landscape:
    rng = canvas.rng
    low = canvas.elevation - canvas.elevation.min()
    low = 1 - low / max(float(low.max()), 1.0)
    moisture = rng.uniform(0.1, 0.5) + 0.2 * low + canvas.wet + 0.12 * canvas.noise(200, 4)
    moisture[cover_mask(canvas.cover, *WATER)] = 1
    # Years and regions differ by weeks in phenology, and by drought, more than crops do.
    vigour = (
        phenology(doy + rng.normal(0, 16))[canvas.cover] * canvas.growth * rng.uniform(0.65, 1.05)
    )
    return Landscape(
        gsd=canvas.gsd,
        doy=doy,
        cover=canvas.cover,
        elevation=canvas.elevation,
        canopy_height=np.clip(canvas.canopy, 0, 48),
        building_height=canvas.building,
        moisture=np.clip(moisture, 0, 1).astype(np.float32),
        vigour=np.clip(vigour, 0, 1).astype(np.float32),
        tone=np.clip(canvas.tone, 0.2, 4).astype(np.float32),
        parcel=canvas.parcel,
        damage=np.zeros(canvas.size, dtype=np.uint8),
        angle=canvas.angle,
        soil=(float(np.clip(rng.lognormal(-0.05, 0.38), 0.4, 1.8)), rng.uniform(-0.2, 0.35)),
        turbidity=rng.beta(0.5, 2.0),
    )
