"""Simulate or fetch one dataset in its native layout, and list its files."""

from pathlib import Path

import eosfm.cli
from eosfm.datasets import get_dataset
from eosfm.datasets.fetching.prepare import prepare
from eosfm.datasets.native.copy import NativeCopy
from eosfm.params import load_params
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import get_recipe
from eosfm.tracking import track


def main(name: str) -> None:
    """Make data/raw/NAME."""
    params = load_params()
    entry = params.dataset(name)

    def simulate(folder: Path) -> None:
        amount = entry.simulated
        scenes = {"train": amount.train, "val": amount.val, "test": amount.test}
        get_recipe(entry.reader)(folder, Simulation(params.seed, scenes, amount.size, amount.gsd))

    with track("download", name, params.energy.country) as tracker:
        manifest = prepare(
            get_dataset(entry.reader),
            NativeCopy(name, entry.reader, params.source(name), entry.root, params.archives),
            simulate,
            out=Path("data/raw") / name,
            a_part=entry.scenes == "any",
        )
        scenes = ", ".join(f"{split} {count}" for split, count in manifest.scenes.items())
        size = f"{manifest.count} files, {manifest.bytes / 1e6:.1f} MB"
        tracker.done(f"{params.source(name)}, {size}, scenes {scenes}")


if __name__ == "__main__":
    eosfm.cli.run(main)
