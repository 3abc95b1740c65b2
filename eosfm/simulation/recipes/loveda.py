"""A simulated LoveDA in its native layout.

Its masks are outlines drawn by people: a grove or a field is one area with the hedges, single trees
and tracks in it, and a tree in a garden is background (Wang et al. 2021, arXiv 2110.08733, their
appendix). The images are a mosaic balanced over whole cities, darker and greyer than a scene that
is stretched by itself.
"""

from pathlib import Path

import numpy as np

from eosfm.datasets.loveda import AREAS, CLASSES, DATASET, FOLDERS, NAME
from eosfm.simulation import CROPS, Key, Landscape, Simulation, evolve, legend, observe
from eosfm.simulation.grid import coordinates
from eosfm.simulation.images import write_png
from eosfm.simulation.noise import Cells, bricks, generator, rotate

BACKGROUND = CLASSES.index("background")
FARMED = CLASSES.index("agriculture")
WOODED = CLASSES.index("forest")
AREAS_DRAWN = tuple(CLASSES.index(name) for name in ("barren", "forest", "agriculture"))
CITIES = 3  # Nanjing, Changzhou and Wuhan
JULY = 197  # day of 2016: all cities were imaged in that month
BALANCED = 0.7  # how far each part of a mosaic is as bright as the city, 0 to 1
CLEAR = 0.75  # share of the contrast on the ground that is left in the haze of July
PALE = 0.6, 0.8  # range of a mosaic's greyness: 1 has no colour
GRAIN = 6.0, 3.0  # deviation per pixel, as of leaves, rows and clods: brightness, then each colour
PLOT_M = (45.0, 8.0)  # size of the plot of one household's crop
IDLE = 0.06  # share of the plots: paths, ditches and their verges, as green as the crops around
OPEN = (*CROPS, "bare_field", "grassland", "orchard", "olive", "vineyard")
AREA_M = 25.0  # width over which annotators generalise
DOUBTFUL = (
    ((*CROPS, "bare_field"), 0.15, BACKGROUND),
    (("orchard", "olive"), 0.25, WOODED),
    (("pasture",), 0.4, FARMED),
)
"""Covers, and the share of their parcels that is drawn as another class: fallow land and gardens
as background, old groves as woods, meadows as the fields around them."""

LEGEND = {
    "roof_red": 2, "roof_grey": 2, "roof_bright": 2, "greenhouse": 2,
    "asphalt": 3, "road": 3, "car": 3,
    "ocean": 4, "lake": 4, "river": 4, "flood": 4,
    "sand": 5, "rock": 5, "bare_soil": 5, "burned": 5,
    "conifer": 6, "broadleaf": 6, "mixed_forest": 6,
    "cereal": 7, "maize": 7, "rapeseed": 7, "vegetable": 7, "rice": 7, "bare_field": 7,
    "vineyard": 7, "orchard": 7, "olive": 7,
}  # fmt: skip
"""Cover of the simulated Earth to LoveDA class; grass, paved yards and the like are background."""

THEMES = {
    "Rural": ("smallholder", "river", "cropland", "village", "smallholder", "forest"),
    "Urban": ("city", "residential", "industrial", "highway"),
}


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy of the labelled folders."""
    scenes = (scene for scene in simulation.plan(NAME) if scene[0] in FOLDERS)
    for number, (split, index, key) in enumerate(scenes):
        turn, place = divmod(index, len(AREAS))
        area = AREAS[place]
        times, place = divmod(turn, len(THEMES[area]))
        theme = THEMES[area][place]
        city = (simulation.seed, NAME, "city", (turn + times) % CITIES)  # each theme in each
        land = simulation.draw(key, theme, doy=JULY)
        if area == "Urban":
            # In fast-growing cities, barren land is mostly cleared building land.
            land = evolve(land, key, "demolition", strength=0.4)
        land = plotted(land, key)
        folder = root / FOLDERS[split] / area
        image = mosaicked(observe(land, key, DATASET.bands, units="dn8").image, city, key)
        write_png(folder / "images_png" / f"{number}.png", image)
        write_png(folder / "masks_png" / f"{number}.png", outline(land, key))


def plots_of(land: Landscape, key: Key) -> Cells:
    """The plots that the land's fields are divided into."""
    x, y = coordinates(land.size, land.gsd)
    return bricks(generator(key, "plots"), *rotate(x, y, land.angle), PLOT_M, 0.35)


def plotted(land: Landscape, key: Key) -> Landscape:
    """Fields and meadows of many narrow plots, each with its own crop's vigour; green water."""
    plots, low, rng = plots_of(land, key), land.shows(*OPEN), generator(key, "crops")
    vigour = rng.lognormal(-0.1, 0.5, plots.count)[plots.id]
    tone = rng.lognormal(0, 0.25, plots.count)[plots.id]
    return land.change(
        vigour=np.where(low, np.clip(land.vigour * vigour, 0, 1), land.vigour).astype(np.float32),
        tone=np.where(low, np.clip(land.tone * tone, 0.2, 4), land.tone).astype(np.float32),
        turbidity=0.15 * land.turbidity,
    )


def mosaicked(image: np.ndarray, city: Key, key: Key) -> np.ndarray:
    """(3, h, w) uint8 as part of a city's mosaic: dark, grey, and as bright as its other parts.

    Contrast and grain are those of the real tiles at 1.2 m: brightness deviates by 20 where it is
    averaged over 9 pixels, and by 8 from pixel to pixel, colours by 3.
    """
    rng = generator(city, "mosaic")
    grey = image.mean(0, keepdims=True)
    pale = image + (grey - image) * rng.uniform(*PALE)
    usual = rng.uniform(60, 95) * rng.normal(1, 0.05, (3, 1, 1))
    gain = (usual / pale.mean((1, 2), keepdims=True)) ** BALANCED
    balanced = pale * gain
    mean = balanced.mean((1, 2), keepdims=True)
    grain = generator(key, "grain")
    bright, colour = GRAIN
    fine = grain.normal(0, bright, image.shape[1:]) + grain.normal(0, colour, image.shape)
    seen = mean + CLEAR * (balanced - mean) + fine
    return np.clip(seen, 0, 255).round().astype(np.uint8)


def outline(land: Landscape, key: Key) -> np.ndarray:
    """The mask (h, w) uint8: areas of open land are generalised, as drawn."""
    from scipy.ndimage import uniform_filter

    classes = legend(land.cover, LEGEND, default=BACKGROUND)
    numbers, index = np.unique(land.parcel, return_inverse=True)
    doubt = np.where(numbers > 0, generator(key, "doubt").random(len(numbers)), 1)
    doubt = doubt[index].reshape(land.size)
    for covers, share, drawn_as in DOUBTFUL:
        classes[land.shows(*covers) & (doubt < share)] = drawn_as
    width = max(3, round(AREA_M / land.gsd))
    open_land = np.isin(classes, (BACKGROUND, *AREAS_DRAWN))
    drawn = classes.copy()
    drawn[open_land] = BACKGROUND
    for area in AREAS_DRAWN:
        dense = uniform_filter((classes == area).astype(np.float32), width) > 0.5
        drawn[dense & open_land] = area
    plots = plots_of(land, key)
    idle = generator(key, "idle").random(plots.count) < IDLE
    drawn[idle[plots.id] & (drawn == FARMED)] = BACKGROUND
    return drawn
