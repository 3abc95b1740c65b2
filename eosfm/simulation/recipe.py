"""What a recipe is asked for, and what nearly all recipes do with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key
from eosfm.simulation.themes import draw_landscape

Name = TypeVar("Name")


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

    @property
    def side(self) -> float:
        """Height and width of a scene in metres."""
        return self.size * self.gsd

    def plan(self, dataset: str) -> Iterator[tuple[Split, int, Key]]:
        """Every scene to simulate: its split, its number in the split from 0, its random key."""
        for split in SPLITS:
            for index in range(self.scenes[split]):
                yield split, index, (self.seed, dataset, split, index)

    def name(
        self, dataset: str, what: str, names: Mapping[Split, Sequence[Name]]
    ) -> Iterator[tuple[Name, int, Key]]:
        """Every scene to simulate with the name that it takes of those of its split.

        Raises:
            EosfmError: More scenes are asked for than a split has names.
        """
        for split in SPLITS:
            if self.scenes[split] > len(names[split]):
                raise EosfmError(
                    f"{dataset} has {len(names[split])} {split} {what}, not {self.scenes[split]}; "
                    f"lower datasets.{dataset}.simulated.{split}"
                )
        for split, index, key in self.plan(dataset):
            yield names[split][index], index, key

    def draw(self, key: Key, theme: str, doy: int = 180) -> Landscape:
        """The landscape of a scene."""
        return draw_landscape(key, (self.size, self.size), self.gsd, theme, doy)
