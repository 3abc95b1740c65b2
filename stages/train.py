"""Train one specialist."""

from pathlib import Path

import eosfm.cli
from eosfm.core.loading import loading
from eosfm.core.results import write_result
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track
from eosfm.training.recipe import Recipe


def main(name: str) -> None:
    """Make models/specialists/NAME.pt; its head, scores and curves in results/train/NAME."""
    params = load_params()
    with track("train", name, params.energy.country) as tracker:
        # Lightning takes longer to load than torch; the energy of that counts too.
        with loading():
            from eosfm.training.train import Outputs, train_specialist

        result = train_specialist(
            Recipe.resolve(params, name),
            TileStore(Path("data/tiles") / params.specialist(name).dataset),
            out=Path("models/specialists") / f"{name}.pt",
            scratch=Path(".cache/training"),
            more=Outputs(
                head=tracker.folder / "head.pt",
                picture=tracker.folder / "predictions.png",
                live=tracker.live,
            ),
        )
        write_result(tracker.folder / "metrics.json", result)
        tracker.done(f"{result.metric} {result.score:.3f} (constant {result.constant:.3f})")


if __name__ == "__main__":
    eosfm.cli.run(main)
