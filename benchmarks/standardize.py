"""Whose statistics should scale the input: the task's own, or those of each specialist's training?

python benchmarks/standardize.py   # needs the artifact and the tiles of a `dvc repro`

Both settings get the specialists whose training data came in the task's units, since only those
can scale the input themselves, and the evaluation's head, protocol, labels and seeds.
"""

from pathlib import Path

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.specialist import Specialist
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.evaluate import run_head
from eosfm.evaluation.fit import make_trials
from eosfm.features.store import in_memory, reading, task_backbone
from eosfm.params import Params, load_params
from eosfm.tiles.store import TileStore

SETTINGS = ("dataset", "specialist")


def accepted(
    params: Params, name: str, store: TileStore, members: list[Specialist]
) -> list[Specialist]:
    """The specialists that can scale the task's input by their own statistics."""
    able = []
    for member in members:
        try:
            task_backbone(params, params.task(name), store, [member])
        except EosfmError:
            continue  # other units, or bands that the task does not have
        able.append(member)
    return able


def main(artifact: Path = Path("models/eosfm.pth")) -> None:
    """Compare ``standardize`` dataset and specialist on every task that a specialist can scale."""
    params, every = load_params(), load_artifact(artifact)
    modes = {
        mode: params.model_copy(
            update={"encoding": params.encoding.model_copy(update={"standardize": mode})}
        )
        for mode in SETTINGS
    }
    table = Table("task", "specialists", "metric", *SETTINGS)
    for name in track(list(params.tasks), "standardize"):
        store = TileStore(Path("data/tiles") / params.task(name).dataset)
        members = accepted(modes["specialist"], name, store, every)
        if not members:
            continue
        trials = make_trials(params, name, store, params.current.protocol.seeds)
        scores = []
        for settings in modes.values():
            backbone = task_backbone(settings, settings.task(name), store, members)
            splits = [in_memory(backbone, reading(settings, name, store, s)) for s in SPLITS]
            result = run_head(FIXED, splits, trials)
            scores.append(result["test"][result["metric"]])
        table.add_row(name, str(len(members)), trials[0].task.metric, *(f"{s:.3f}" for s in scores))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
