"""A simulated SpaceNet 7 (MUDS), change in its native layout."""

from pathlib import Path

from eosfm.datasets.native.spacenet7 import AOIS
from eosfm.datasets.spacenet7_change import NAME
from eosfm.simulation import Simulation
from eosfm.simulation.recipes.spacenet7 import write_series


def simulate(root: Path, simulation: Simulation) -> None:
    """Write two months of as many areas as pairs are asked for.

    Raises:
        EosfmError: More pairs are asked for than a split has areas.
    """
    for aoi, index, (_, _, split, _) in simulation.name(NAME, "areas", AOIS):
        write_series(root, aoi, (split, index), 2, simulation)
