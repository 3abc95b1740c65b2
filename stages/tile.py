"""Cut one dataset into its tile store."""

from dataclasses import replace
from pathlib import Path

import eosfm.cli
from eosfm.datasets import get_dataset
from eosfm.datasets.native.copy import NativeCopy, native_files
from eosfm.params import load_params
from eosfm.tiles.tiling import cut_dataset, too_little_ground
from eosfm.tracking import track


def main(name: str) -> None:
    """Make data/tiles/NAME from data/raw/NAME."""
    params = load_params()
    entry = params.dataset(name)
    tile = params.tile_size(name)
    with (
        track("tile", name, params.energy.country) as tracker,
        native_files(
            NativeCopy(name, entry.reader, params.source(name), entry.root, params.archives),
            Path("data/raw") / name,
        ) as root,
    ):
        dataset = replace(get_dataset(entry.reader).below(root), name=name)
        source = "root" if entry.root else params.source(name)
        if source != "simulated" and (warning := too_little_ground(dataset, tile)):
            print(warning)
        summary = cut_dataset(
            dataset, root, Path("data/tiles") / name, tile, splits=entry.splits, source=source
        )
        tracker.done(summary)


if __name__ == "__main__":
    eosfm.cli.run(main)
