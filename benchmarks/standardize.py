"""Whose statistics should scale the input: the task's own, or those of each specialist's training?

python benchmarks/standardize.py   # needs the artifact and the tiles of a `dvc repro`

Both settings get the specialists whose training data came in the task's units, since only those
can scale the input themselves, and the evaluation's head, protocol and labels. Scores are those of
validation tiles, of seeds that no reported run uses.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.feature_fusion import needs_maps
from eosfm.evaluation.head import run_head
from eosfm.features.encode import scratch_features, task_encoder
from eosfm.features.reading import read_split
from eosfm.features.task import Task
from eosfm.nn.specialist import Specialist
from eosfm.params import load_params
from eosfm.tiles.store import TileStore

SETTINGS = ("dataset", "specialist")
SEED = 7


def accepted(task: Task, members: list[Specialist]) -> list[Specialist]:
    """The specialists that can scale the task's input by their own statistics."""
    able = []
    for member in members:
        try:
            task_encoder(task, [member])
        except EosfmError:
            continue  # other units, or bands that the task does not have
        able.append(member)
    return able


def main(artifact: Path = Path("models/eosfm.pth")) -> None:
    """Compare ``standardize`` dataset and specialist on every task that a specialist can scale."""
    params, every = load_params(), load_artifact(artifact)
    table = Table("task", "specialists", "metric", *SETTINGS)
    for name in track(list(params.tasks), "standardize"):
        store = TileStore(Path("data/tiles") / params.task(name).dataset)
        task = replace(Task.resolve(params, name, store), seed=SEED)
        members = accepted(replace(task, standardize="specialist"), every)
        if not members:
            continue
        scores = []
        for setting in SETTINGS:
            of_setting = replace(task, standardize=setting)
            readings = Splits.of(partial(read_split, of_setting))
            encoder = task_encoder(of_setting, members)
            with scratch_features(
                encoder, readings, params.encoding.max_gb, not needs_maps(FIXED, task)
            ) as splits:
                result = run_head(of_setting, FIXED, splits, task.protocol.seeds)
            scores.append(f"{result.val[task.metric]:.3f}")
        table.add_row(name, str(len(members)), task.metric, *scores)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
