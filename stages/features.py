"""Encode one downstream task's tiles once, with every specialist."""

from pathlib import Path

import eosfm.cli
from eosfm.core.parallel import single_thread
from eosfm.features.encode import encode_task
from eosfm.features.task import TaskInput
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track


def main(name: str) -> None:
    """Make data/features/NAME."""
    single_thread()
    params = load_params()
    store = TileStore(Path("data/tiles") / params.task(name).dataset)
    with track("features", name, params.energy.country) as tracker:
        summary = encode_task(
            TaskInput.resolve(params, name, store),
            artifact=Path("models/eosfm.pth"),
            out=Path("data/features") / name,
            # Features of fine-tuned encoders change at every step, so none are stored.
            max_gb=0.0 if params.current.protocol.fine_tune else params.encoding.max_gb,
        )
        tracker.done(summary)


if __name__ == "__main__":
    eosfm.cli.run(main)
