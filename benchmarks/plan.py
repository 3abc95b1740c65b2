"""The plan against a run that was made: images, bytes and encoder calls.

    python benchmarks/plan.py [PROJECT]

PROJECT holds params.yaml and what ``dvc repro`` left in data and results, all of it or some.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rehearsal import Figure, show_figures, size_of

from eosfm.core.splits import SPLITS
from eosfm.encoding.input import SPECTRAL
from eosfm.params import Params, load_params
from eosfm.planning.stores import planned_stores
from eosfm.planning.tasks import features_work, planned_task


def main(project: Annotated[Path, typer.Argument()] = Path()) -> None:
    """Compare; the exit status is 1 where a figure is off by more than a quarter."""
    params = load_params(project / "params.yaml")
    figures = [*_tiles(params, project), *_features(params, project)]
    missed = show_figures(figures)
    print("\n".join(missed) or f"{len(figures)} figures, none off by more than a quarter")
    raise typer.Exit(bool(missed))


def _tiles(params: Params, project: Path) -> Iterator[Figure]:
    for name, store in planned_stores(params).items():
        folder = project / "data/tiles" / name
        if not folder.is_dir():
            continue
        shards = json.loads((folder / "store.json").read_text())["splits"]
        kept = [split for split in SPLITS if split in shards and store.tiles[split]]
        found = sum(sum(shards[split]["rows"]) for split in kept)
        size = sum(size_of(folder / split) for split in kept)
        yield Figure(f"tile {name}", "tiles", sum(store.tiles.values()), found)
        yield Figure(f"tile {name}", "bytes", store.bytes, size)


def _features(params: Params, project: Path) -> Iterator[Figure]:
    stores = planned_stores(params)
    for name, entry in params.tasks.items():
        folder = project / "data/features" / name
        if not folder.is_dir():
            continue
        work = features_work(planned_task(params, name, stores[entry.dataset]))
        facts = json.loads((folder / "features.json").read_text())
        if not facts["stored"]:
            yield Figure(f"features {name}", "encoder calls", work.encoder_calls + 1, 1)
            continue
        levels = [np.load(folder / split / "level-0.npy", mmap_mode="r") for split in SPLITS]
        images = sum(level.shape[0] * level.shape[1] for level in levels)
        yield Figure(f"features {name}", "images", work.images, images)
        calls = images * sum(one["name"] != SPECTRAL for one in facts["inputs"])
        yield Figure(f"features {name}", "encoder calls", work.encoder_calls, calls)
        yield Figure(f"features {name}", "bytes", 1e9 * work.features_gb, size_of(folder))


if __name__ == "__main__":
    typer.run(main)
