"""A simulated EuroSAT in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS
from eosfm.datasets.eurosat import BANDS, CLASSES, FOLDER, split_list
from eosfm.datasets.readers.geotiff import write_geotiff
from eosfm.simulation import (
    CROPS,
    FOREST,
    ROOFS,
    WATER,
    Landscape,
    cover_mask,
    draw_landscape,
    observe,
)
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.resampling import resampled

# What a person would file under each class: landscape themes, taken in turn by simulated images,
# and the covers of which there must be some share.
CONTENT: dict[str, tuple[tuple[str, ...], tuple[str, ...], float]] = {
    "AnnualCrop": (("cropland",), (*CROPS, "bare_field"), 0.6),
    "Forest": (("conifer", "broadleaf", "forest"), FOREST, 0.8),
    "HerbaceousVegetation": (("grassland", "shrub"), ("grassland", "shrub", "heath"), 0.8),
    "Highway": (("highway",), ("asphalt", "road"), 0.02),
    "Industrial": (("industrial",), ROOFS, 0.1),
    "Pasture": (("pasture",), ("pasture",), 0.6),
    "PermanentCrop": (("orchard",), ("orchard", "vineyard", "olive"), 0.6),
    "Residential": (("residential", "city"), ROOFS, 0.1),
    "River": (("river",), ("river",), 0.04),
    "SeaLake": (("sea", "lake"), WATER, 0.35),
}

TRIES = 10


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy: the classes take turns, numbered from 1 as in the archive."""
    count = 0
    for split in SPLITS:
        names = []
        for index in range(simulation.scenes[split]):
            label = CLASSES[index % len(CLASSES)]
            count += 1
            image = draw(simulation, label, count)
            path = root / FOLDER / label / f"{label}_{count}.tif"
            # Side by side with a gap, so that no two images show the same ground.
            east = 300_000 + 2 * count * simulation.size * simulation.gsd
            write_geotiff(path, image, simulation.gsd, (east, 5_400_000))
            names.append(f"{path.stem}.jpg\n")
        root.mkdir(parents=True, exist_ok=True)
        split_list(root, split).write_text("".join(names))


def draw(simulation: Simulation, label: str, number: int) -> np.ndarray:
    """The image ``<label>_<number>`` of a simulated copy: (13, size, size) uint16."""
    key = (simulation.seed, "eurosat", label, number)
    return resampled(observe(_land(simulation, label, number), key, BANDS).image, BANDS)


def _land(simulation: Simulation, label: str, number: int) -> Landscape:
    """A landscape with enough of what the class is named for, or the last of a few tries."""
    themes, covers, share = CONTENT[label]
    theme = themes[number % len(themes)]
    # Acquisitions of the whole growing season; 61 and 180 have no common divisor.
    doy = 100 + 61 * number % 180
    size = (simulation.size, simulation.size)
    for attempt in range(TRIES):
        key = (simulation.seed, "eurosat", label, number, attempt)
        land = draw_landscape(key, size, simulation.gsd, theme, doy)
        if cover_mask(land.cover, *covers).mean() >= share:
            break
    return land
