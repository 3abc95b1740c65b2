"""A second simulated Earth, for choices that no reported score may decide."""

from dataclasses import replace
from pathlib import Path

from eosfm.core.seeds import derive_seed
from eosfm.core.splits import SPLITS
from eosfm.datasets import get_dataset
from eosfm.features.reading import Reading, read_split
from eosfm.features.task import TaskInput
from eosfm.params import Params, Scaling
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import get_recipe
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset

SEED = derive_seed(1000, "second world")


def second_world(
    params: Params, task: TaskInput, folder: Path, scenes: int | None = None
) -> Reading:
    """The test tiles of a task's dataset on another Earth, scaled as the task's own tiles are.

    Args:
        params: Say how the dataset is simulated and cut.
        task: The task.
        folder: Empty, and as large as the dataset.
        scenes: How many test scenes; None for as many as a run has.
    """
    name = params.task(task.name).dataset
    entry = params.dataset(name)
    raw, cut, amount = folder / "raw", folder / "tiles", entry.simulated
    assert amount is not None
    counts = {"train": amount.train, "val": amount.val, "test": scenes or amount.test}
    raw.mkdir()
    get_recipe(entry.reader)(raw, Simulation(SEED, counts, amount.size, amount.gsd))
    dataset = replace(get_dataset(entry.reader).below(raw), name=entry.reader)
    tile = params.tile_size(name)
    cut_dataset(dataset, raw, cut, tile, splits=SPLITS, source="simulated")
    mean, std = task.statistics
    return read_split(
        replace(task, store=TileStore(cut), scaling=Scaling(mean=mean, std=std)), "test"
    )
