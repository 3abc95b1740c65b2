"""What a recipe is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from eosfm.core.splits import Split


@dataclass(frozen=True)
class Simulation:
    """How much to simulate, and how finely.

    Attributes:
        seed: Root seed of the run.
        scenes: Number of scenes (images, or image pairs) per split.
        size: Scene height and width in pixels of the finest grid.
        gsd: Ground sampling distance in metres of the finest grid.
    """

    seed: int
    scenes: Mapping[Split, int]
    size: int
    gsd: float
