"""Train one specialist."""

from pathlib import Path

import eosfm.cli
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tracking import track, write_json
from eosfm.training.recipe import Recipe
from eosfm.training.train import Outputs, train_specialist


def main(name: str) -> None:
    """Make models/{specialists,heads}/NAME.pt, results/train/NAME.json and a picture beside it."""
    params = load_params()
    with track("train", name, params.energy.country) as tracker:
        metrics = train_specialist(
            Recipe.resolve(params, name),
            TileStore(Path("data/tiles") / params.specialist(name).dataset),
            out=Path("models/specialists") / f"{name}.pt",
            scratch=Path(".cache/training"),
            more=Outputs(
                head=Path("models/heads") / f"{name}.pt",
                picture=Path("results/train") / f"{name}.png",
                live=Path("results/live") / f"train-{name}",
            ),
        )
        write_json(Path("results/train") / f"{name}.json", metrics)
        headline = metrics["metric"]
        tracker.done(f"{headline} {metrics[headline]:.3f} (trivial {metrics['trivial']:.3f})")


if __name__ == "__main__":
    eosfm.cli.run(main)
