"""Encode one downstream task's tiles once, with every specialist."""

from pathlib import Path

import eosfm.cli
from eosfm.features.store import encode_task
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make data/features/NAME."""
    params = load_params()
    with track("features", name, params.energy.country) as tracker:
        summary = encode_task(
            params,
            name,
            TileStore(Path("data/tiles") / params.task(name).dataset),
            artifact=Path("models/eosfm.pth"),
            out=Path("data/features") / name,
        )
        tracker.done(summary)


if __name__ == "__main__":
    eosfm.cli.run(main)
