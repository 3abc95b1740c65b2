"""The plan against a run that was made: images, bytes and encoder calls.

    python benchmarks/plan.py [PROJECT]

PROJECT holds params.yaml and what ``dvc repro`` left in data and results, all of it or some.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from eosfm.core.splits import SPLITS
from eosfm.encoding.input import SPECTRAL
from eosfm.params import Params, load_params
from eosfm.planning.stores import planned_stores
from eosfm.planning.tasks import features_work, planned_task

ALLOWED = 0.25


class Row(NamedTuple):
    """One figure of one item, planned and found."""

    item: str
    what: str
    planned: float
    found: float

    @property
    def off(self) -> float:
        """How far the plan is from what was found, as a share of it."""
        return self.planned / self.found - 1


def main(project: Annotated[Path, typer.Argument()] = Path()) -> None:
    """Compare; the exit status is 1 where a figure is off by more than a quarter."""
    params = load_params(project / "params.yaml")
    rows = [*_tiles(params, project), *_features(params, project)]
    table = Table("item", "figure", "planned", "found", "off", box=None)
    for row in rows:
        table.add_row(
            row.item, row.what, f"{row.planned:,.0f}", f"{row.found:,.0f}", f"{row.off:+.1%}"
        )
    Console().print(table)
    worst = max((abs(row.off) for row in rows), default=0.0)
    print(f"{len(rows)} figures, the worst off by {worst:.1%} (allowed {ALLOWED:.0%})")
    raise typer.Exit(worst > ALLOWED)


def _tiles(params: Params, project: Path) -> Iterator[Row]:
    for name, store in planned_stores(params).items():
        folder = project / "data/tiles" / name
        if not folder.is_dir():
            continue
        shards = json.loads((folder / "store.json").read_text())["splits"]
        kept = [split for split in SPLITS if split in shards and store.tiles[split]]
        found = sum(sum(shards[split]["rows"]) for split in kept)
        size = sum(_size(folder / split) for split in kept)
        yield Row(f"tile {name}", "tiles", sum(store.tiles.values()), found)
        yield Row(f"tile {name}", "bytes", store.bytes, size)


def _features(params: Params, project: Path) -> Iterator[Row]:
    stores = planned_stores(params)
    for name, entry in params.tasks.items():
        folder = project / "data/features" / name
        if not folder.is_dir():
            continue
        work = features_work(planned_task(params, name, stores[entry.dataset]))
        facts = json.loads((folder / "features.json").read_text())
        if not facts["stored"]:
            yield Row(f"features {name}", "encoder calls", work.encoder_calls + 1, 1)
            continue
        levels = [np.load(folder / split / "level-0.npy", mmap_mode="r") for split in SPLITS]
        images = sum(level.shape[0] * level.shape[1] for level in levels)
        yield Row(f"features {name}", "images", work.images, images)
        calls = images * sum(one["name"] != SPECTRAL for one in facts["inputs"])
        yield Row(f"features {name}", "encoder calls", work.encoder_calls, calls)
        yield Row(f"features {name}", "bytes", 1e9 * work.features_gb, _size(folder))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    typer.run(main)
