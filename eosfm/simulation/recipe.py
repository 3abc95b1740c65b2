"""What a recipe is asked for, and what nearly all recipes do with it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.simulation.landscape import Landscape
from eosfm.simulation.noise import Key
from eosfm.simulation.themes import draw_landscape

Name = TypeVar("Name")


@dataclass(frozen=True)
class Simulation:
    """How much to simulate, and how finely."""

    seed: int  # root seed of the run
    scenes: Mapping[Split, int]  # number of scenes (images, or image pairs) per split
    size: int  # scene height and width in pixels of the finest grid
    gsd: float  # ground sampling distance in metres of the finest grid

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
            self.limit(dataset, what, split, len(names[split]))
        for split, index, key in self.plan(dataset):
            yield names[split][index], index, key

    def limit(self, dataset: str, what: str, split: Split, most: int) -> None:
        """Check that a split is not asked for more scenes than the dataset has names for.

        Raises:
            EosfmError: It is.
        """
        if self.scenes[split] > most:
            raise EosfmError(
                f"{dataset} has {most} {split} {what}, not {self.scenes[split]}; "
                f"lower datasets.{dataset}.simulated.{split}"
            )

    def draw(self, key: Key, theme: str, doy: int = 180) -> Landscape:
        """The landscape of a scene."""
        return draw_landscape(key, (self.size, self.size), self.gsd, theme, doy)


def write_text(path: Path, text: str) -> None:
    """Write a text file, making the folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file of lines, making the folder where needed."""
    write_text(path, "".join(f"{line}\n" for line in lines))


def write_geojson(path: Path, features: Iterable[dict[str, Any]], **members: Any) -> None:
    """Write GeoJSON, making the folder where needed.

    Args:
        path: The file to write.
        features: The members of each but its type.
        members: Further members of the collection.
    """
    typed = [{"type": "Feature", **feature} for feature in features]
    write_text(path, json.dumps({"type": "FeatureCollection", **members, "features": typed}))


def rectangle(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """A rectangle as a GeoJSON geometry."""
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
