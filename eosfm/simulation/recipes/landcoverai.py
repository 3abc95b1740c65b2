"""A simulated LandCover.ai v1 in its native layout."""

from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets.landcoverai import DATASET, NAME, TILE
from eosfm.datasets.native.holdout import rank
from eosfm.simulation import FOREST, ROOFS, WATER, Simulation, legend, observe, write_lines
from eosfm.simulation.images import write_geotiff

SHEETS = (
    "M-33-20-D-c-4-2", "M-33-20-D-d-3-3", "M-33-32-B-b-4-4", "M-33-48-A-c-4-4", "M-33-7-A-d-2-3",
    "M-33-7-A-d-3-2", "M-34-32-B-a-4-3", "M-34-32-B-b-1-3", "M-34-5-D-d-4-2", "M-34-51-C-b-2-1",
    "M-34-51-C-d-4-1", "M-34-55-B-b-4-1", "M-34-56-A-b-1-4", "M-34-6-A-d-2-2", "M-34-65-D-a-4-4",
    "M-34-65-D-c-4-2", "M-34-65-D-d-4-1", "M-34-68-B-a-1-3", "M-34-77-B-c-2-3", "N-33-104-A-c-1-1",
    "N-33-119-C-c-3-3", "N-33-130-A-d-3-3", "N-33-130-A-d-4-4", "N-33-139-C-d-2-2",
    "N-33-139-C-d-2-4", "N-33-139-D-c-1-3", "N-33-60-D-c-4-2", "N-33-60-D-d-1-2",
    "N-33-96-D-d-1-1", "N-34-106-A-b-3-4", "N-34-106-A-c-1-3", "N-34-140-A-b-3-2",
    "N-34-140-A-b-4-2", "N-34-140-A-d-3-4", "N-34-140-A-d-4-2", "N-34-61-B-a-1-1",
    "N-34-66-C-c-4-3", "N-34-77-A-b-1-4", "N-34-94-A-b-2-4", "N-34-97-C-b-1-2", "N-34-97-D-c-2-4",
)  # fmt: skip
"""The orthophotos, named by their map sheets."""

THEMES = ("village", "lake", "mixed", "highway", "river", "forest")

LEGEND = {
    **dict.fromkeys(ROOFS, 1),
    **dict.fromkeys(FOREST, 2),
    **dict.fromkeys(WATER, 3),
    "road": 4,
    "asphalt": 4,
    "car": 4,
}
"""Cover of the simulated Earth to class; all else is background."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated orthophotos of ``simulation.size`` px, and as many tiles as scenes wanted.

    Raises:
        EosfmError: The orthophotos would hold no whole tile, or more of them are needed than the
            dataset has.
    """
    side = simulation.size // TILE
    total = sum(simulation.scenes.values())
    sheets = -(-total // side**2) if side else len(SHEETS) + 1
    if sheets > len(SHEETS):
        raise EosfmError(
            f"{NAME}: {len(SHEETS)} orthophotos of {simulation.size} px cannot hold {total} tiles "
            f"of {TILE} px; raise datasets.{NAME}.simulated.size or lower the scenes"
        )
    names = []
    for index, sheet in enumerate(SHEETS[:sheets]):
        key = (simulation.seed, NAME, sheet)
        land = simulation.draw(key, THEMES[index % len(THEMES)], doy=140 + 30 * (index % 4))
        image = observe(land, key, DATASET.bands, units="dn8").image
        mask = legend(land.cover, LEGEND, default=0)[None]
        # Side by side with a gap: the original orthophotos lie all over the country.
        origin = (300_000 + 2 * index * simulation.size * simulation.gsd, 500_000.0)
        for folder, pixels in (("images", image), ("masks", mask)):
            path = root / folder / f"{sheet}.tif"
            write_geotiff(path, pixels, simulation.gsd, origin, "EPSG:2180")
        grid = -(-simulation.size // TILE)
        names += [f"{sheet}_{row * grid + col}" for row in range(side) for col in range(side)]
    # As in the original, the tiles of one orthophoto are dealt out to all splits.
    names.sort(key=lambda name: rank(f"{simulation.seed}/{name}"))
    for split in SPLITS:
        chosen, names = names[: simulation.scenes[split]], names[simulation.scenes[split] :]
        write_lines(root / f"{split}.txt", sorted(chosen))
