"""A simulated LoveDA in its native layout."""

from pathlib import Path

from eosfm.datasets.loveda import AREAS, DATASET, FOLDERS, NAME
from eosfm.simulation import Simulation, evolve, legend, observe
from eosfm.simulation.images import write_png

LEGEND = {
    "roof_red": 2, "roof_grey": 2, "roof_bright": 2, "greenhouse": 2,
    "asphalt": 3, "road": 3, "car": 3,
    "ocean": 4, "lake": 4, "river": 4, "flood": 4,
    "sand": 5, "rock": 5, "bare_soil": 5, "burned": 5,
    "orchard": 6, "olive": 6, "conifer": 6, "broadleaf": 6, "mixed_forest": 6,
    "cereal": 7, "maize": 7, "rapeseed": 7, "vegetable": 7, "rice": 7, "bare_field": 7,
    "vineyard": 7,
}  # fmt: skip
"""Cover of the simulated Earth to LoveDA class; grass, paved yards and the like are background."""

THEMES = {
    "Rural": ("smallholder", "river", "forest", "village"),
    "Urban": ("city", "residential", "industrial", "highway"),
}


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy of the labelled folders."""
    splits = [split for split in FOLDERS for _ in range(simulation.scenes[split])]
    for number, split in enumerate(splits):
        area = AREAS[number % len(AREAS)]
        theme = THEMES[area][number // len(AREAS) % len(THEMES[area])]
        key = (simulation.seed, NAME, number)
        # The cities were imaged in different months of the growing season.
        land = simulation.draw(key, theme, doy=120 + 40 * (number % 4))
        if area == "Urban":
            # Cleared building land is most of what is barren in fast-growing cities.
            land = evolve(land, key, "demolition", strength=0.4)
        folder = root / FOLDERS[split] / area
        image = observe(land, key, DATASET.bands, units="dn8").image
        write_png(folder / "images_png" / f"{number}.png", image)
        write_png(folder / "masks_png" / f"{number}.png", legend(land.cover, LEGEND, default=1))
