"""Train one specialist."""

from pathlib import Path

import eosfm.cli
from eosfm.core.files import write_json
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track
from eosfm.training.recipe import Recipe
from eosfm.training.train import Outputs, train_specialist


def main(name: str) -> None:
    """Make models/specialists/NAME.pt; its head, scores and curves in results/train/NAME."""
    params = load_params()
    with track("train", name, params.energy.country) as tracker:
        metrics = train_specialist(
            Recipe.resolve(params, name),
            TileStore(Path("data/tiles") / params.specialist(name).dataset),
            out=Path("models/specialists") / f"{name}.pt",
            scratch=Path(".cache/training"),
            more=Outputs(
                head=tracker.folder / "head.pt",
                picture=tracker.folder / "predictions.png",
                live=tracker.folder / "live",
            ),
        )
        write_json(tracker.folder / "metrics.json", metrics)
        headline = metrics["metric"]
        tracker.done(f"{headline} {metrics[headline]:.3f} (trivial {metrics['trivial']:.3f})")


if __name__ == "__main__":
    eosfm.cli.run(main)
