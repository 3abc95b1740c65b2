"""A simulated SEN12MS in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.datasets.sen12ms import NAME, Patch, split_of
from eosfm.simulation import Simulation, backscatter, legend, observe, resampled, write_lines
from eosfm.simulation.images import write_geotiff

SEASONS = {
    "ROIs1158_spring": 105,
    "ROIs1868_summer": 196,
    "ROIs1970_fall": 288,
    "ROIs2017_winter": 30,
}
"""Season folders and the day of the year that a simulated copy uses for them."""

# Simulated patches take these themes in turn, in every split; any four in a row differ widely.
THEMES = (
    "mixed", "shrub", "coast", "mountain", "forest", "wetland", "village", "orchard", "cropland",
    "lake", "desert", "grassland", "city", "river", "glacier", "pasture",
)  # fmt: skip

PATCHES_PER_SCENE = 4

IGBP = {
    "conifer": 1, "broadleaf": 4, "mixed_forest": 5, "shrub": 7, "heath": 7,
    # MODIS sees scattered trees over ground as savanna, planted ones too.
    "orchard": 8, "olive": 9,
    "grassland": 10, "pasture": 10, "wetland": 11, "flood": 11,
    "cereal": 12, "maize": 12, "rapeseed": 12, "vegetable": 12, "rice": 12, "bare_field": 12,
    "vineyard": 12, "greenhouse": 12,
    "asphalt": 13, "road": 13, "rail": 13, "roof_red": 13, "roof_grey": 13, "roof_bright": 13,
    "concrete": 13, "car": 13,
    "snow": 15, "ice": 15, "sand": 16, "rock": 16, "bare_soil": 16, "burned": 16,
    "ocean": 17, "lake": 17, "river": 17,
}  # fmt: skip
"""IGBP class of each cover."""

# The other bands of a land cover file, by IGBP class: the codes of MCD12Q1's LCCS land cover,
# land use and surface hydrology layers (LC_Prop1, LC_Prop2, LC_Prop3) that go with it.
LCCS = np.array(
    [
        (0, 11, 12, 13, 14, 15, 41, 43, 21, 22, 31, 31, 31, 1, 42, 2, 1, 3),
        (0, 10, 10, 10, 10, 10, 40, 40, 20, 20, 30, 30, 36, 9, 35, 2, 1, 3),
        (0, 10, 10, 10, 10, 10, 40, 40, 20, 20, 30, 50, 30, 1, 30, 2, 1, 3),
    ]
)


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy: scenes of four patches, each scene in one split."""
    for season in SEASONS:
        (root / season).mkdir(parents=True, exist_ok=True)
    places = [Patch(season, scene, 0) for scene in range(1, 1000) for season in SEASONS]
    # The split rule says which scenes validate; those to test on are of the others.
    validate, others = (
        iter([place for place in places if (split_of("train", place.place) == "val") == held])
        for held in (True, False)
    )
    listed: dict[str, list[str]] = {"train": [], "test": []}
    for split, index, _ in simulation.plan(NAME):
        if index % PATCHES_PER_SCENE == 0:
            scene = next(validate if split == "val" else others)
        patch = scene._replace(number=index % PATCHES_PER_SCENE + 1)
        drawn = draw(simulation, patch, THEMES[index % len(THEMES)])
        origin = simulated_origin(simulation, patch)
        for source, image in drawn.items():
            write_geotiff(patch.path(root, source), image, simulation.gsd, origin)
        listed["test" if split == "test" else "train"].append(patch.path(root, "s2").name)
    for official, names in listed.items():
        write_lines(root / f"{official}_list.txt", names)


def simulated_origin(simulation: Simulation, patch: Patch) -> tuple[float, float]:
    """Easting and northing of a simulated patch; no two patches show the same ground."""
    side = simulation.side
    column = list(SEASONS).index(patch.season) * PATCHES_PER_SCENE + patch.number
    return 300_000 + 2 * side * column, 5_400_000 - 2 * side * patch.scene


def draw(simulation: Simulation, patch: Patch, theme: str) -> dict[str, np.ndarray]:
    """A simulated patch: ``s1`` (2, H, W) float32, ``s2`` (13, H, W) and ``lc`` (4, H, W) uint16.

    A real scene is some hundred kilometres wide: its patches share the season, not the theme.
    """
    key = (simulation.seed, NAME, patch.season, patch.scene, patch.number)
    land = simulation.draw(key, theme, SEASONS[patch.season])
    # Real labels are MODIS pixels of 500 m, upsampled. They stay sharp here: at the size of a
    # small run, 500 m pixels would leave some twenty five labels in a patch.
    igbp = legend(land.cover, IGBP)
    return {
        "s1": backscatter(land, key, ("vv", "vh")),
        "s2": resampled(observe(land, key, S2_BANDS).image, S2_BANDS),
        "lc": np.stack([igbp, *LCCS[:, igbp]]).astype(np.uint16),
    }
