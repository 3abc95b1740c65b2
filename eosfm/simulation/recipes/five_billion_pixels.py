"""A simulated Five-Billion-Pixels in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.datasets import five_billion_pixels as native
from eosfm.datasets.five_billion_pixels import CLASSES, NAME, TEST
from eosfm.simulation import CROPS, FOREST, ROOFS, Key, Landscape, Simulation, legend, observe
from eosfm.simulation.images import write_png, write_tiff
from eosfm.simulation.noise import generator
from eosfm.simulation.objects import place_objects
from eosfm.simulation.ponds import dig_ponds

THEMES = {
    "cropland": "irrigated field", "city": "urban residential", "smallholder": "dry cropland",
    "industrial": "industrial area", "lake": "lake", "village": "rural residential",
    "ponds": "fish pond", "forest": "arbor forest", "river": "river", "orchard": "garden land",
    "stadium": "stadium", "pasture": "artificial meadow", "shrub": "shrub forest",
    "mountain": "snow", "highway": "road", "desert": "bareland",
}  # fmt: skip
"""Kinds of simulated scene and what each must show; ``ponds`` is cropland with fish ponds,
``stadium`` a city with sports grounds."""

SHOWN, DRAWS = 0.05, 5
"""Least share of a scene that its subject covers, and how many draws are tried for it."""

COVERS = {
    **dict.fromkeys((*CROPS, "bare_field"), "irrigated field"),
    **dict.fromkeys(("orchard", "vineyard", "olive"), "garden land"),
    **dict.fromkeys(FOREST, "arbor forest"),
    **dict.fromkeys(("shrub", "heath"), "shrub forest"),
    **dict.fromkeys(("snow", "ice"), "snow"),
    **dict.fromkeys(("sand", "rock", "bare_soil"), "bareland"),
    "rice": "paddy field", "grassland": "natural meadow", "pasture": "artificial meadow",
    "river": "river", "lake": "lake", "road": "road",
}  # fmt: skip
"""Class of a cover outside built-up areas; others are unlabelled."""

STREET = 26.0  # metres around buildings that belong to their quarter
TALL = 11.0  # metres of height from which a building is urban, not rural
POND = 20_000.0  # square metres below which a lake is a pond


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated scenes; the kinds of scene are spread evenly over each split.

    Scenes to test on have the names of the authors' list; the others are numbered so that the
    reader's rule gives each split the scenes asked for.

    Raises:
        EosfmError: More test scenes are asked for than the dataset has.
    """
    simulation.limit(NAME, "scenes", "test", len(TEST))
    test = iter(sorted(TEST))
    others = (f"GF2_PMS1__L1A{number:010d}-MSS1" for number in count(1))
    for split, index, key in simulation.plan(NAME):
        names = test if split == "test" else others
        name = next(name for name in names if native.split_of(name) == split)
        step = max(1, len(THEMES) // simulation.scenes[split])
        theme = list(THEMES)[index * step % len(THEMES)]
        _write_scene(root, name, theme, key, simulation)


def _write_scene(root: Path, name: str, theme: str, key: Key, simulation: Simulation) -> None:
    for draw in range(DRAWS):
        land, classes = _draw((*key, draw), theme, simulation)
        if (classes == CLASSES.index(THEMES[theme])).mean() >= SHOWN:
            break
    image = observe(land, key, native.DATASET.bands, units="dn8", region="east asia").image
    write_tiff(root / native.IMAGES / f"{name}.tif", image, photometric="CMYK")
    write_png(root / native.LABELS / f"{name}_24label.png", classes)


def _draw(key: Key, theme: str, simulation: Simulation) -> tuple[Landscape, np.ndarray]:
    """A landscape and its classes."""
    ground = {"ponds": "cropland", "stadium": "city"}.get(theme, theme)
    land = simulation.draw(key, ground, doy=120 + 30 * (int(key[-2]) % 5))
    special = np.zeros(land.size, bool)
    if theme == "ponds":
        land, special = dig_ponds(land, key)
    if theme == "stadium":
        land, special = _with_stadium(land, key)
    classes = classify(land, ground)
    classes[special] = CLASSES.index(THEMES[theme])
    return land, classes


def _with_stadium(land: Landscape, key: Key) -> tuple[Landscape, np.ndarray]:
    """The land with a stadium or sports ground among the houses, and its mask (H, W) bool."""
    from scipy import ndimage

    kind = generator(key, "sports").choice(("stadium", "groundtrackfield"))
    changed, boxes = place_objects(land, key, kind)
    drawn = np.zeros(land.size, bool)
    for col, row, end_col, end_row in boxes:
        inside = (slice(row, end_row), slice(col, end_col))
        drawn[inside] = changed.cover[inside] != land.cover[inside]
    return changed, ndimage.binary_fill_holes(ndimage.binary_closing(drawn, iterations=2))


def classify(land: Landscape, theme: str) -> np.ndarray:
    """(H, W) uint8 classes as an interpreter would draw them.

    Built-up areas include their streets and gardens, with the class of the nearest building.
    Plots of smallholders are rainfed, all other fields irrigated.

    Args:
        land: A landscape.
        theme: The kind of scene that it is.
    """
    from scipy import ndimage

    named = {cover: CLASSES.index(name) for cover, name in COVERS.items()}
    classes = legend(land.cover, named, default=0)
    if theme == "smallholder":
        classes[classes == CLASSES.index("irrigated field")] = CLASSES.index("dry cropland")
    lakes, number = ndimage.label(land.shows("lake"))
    area = np.bincount(lakes.ravel(), minlength=number + 1) * land.gsd**2
    classes[(lakes > 0) & (area < POND)[lakes]] = CLASSES.index("pond")
    standing = land.shows(*ROOFS)
    if not standing.any():
        return classes
    kind = np.where(land.building_height >= TALL, CLASSES.index("urban residential"),
                    CLASSES.index("rural residential")).astype(np.uint8)  # fmt: skip
    if theme == "industrial":
        kind[:] = CLASSES.index("industrial area")
    away, nearest = ndimage.distance_transform_edt(
        ~standing, sampling=land.gsd, return_indices=True
    )
    quarter = (away < STREET) & ~land.shows("lake", "river", "road")
    return np.where(quarter, kind[tuple(nearest)], classes)
