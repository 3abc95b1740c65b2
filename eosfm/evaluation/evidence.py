"""Per-tile evidence behind the test scores, in ``tiles.npz`` beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.core.mapped import DAMAGED
from eosfm.evaluation.result import TaskResult
from eosfm.kinds import get_kind
from eosfm.kinds.scores import best_of

if TYPE_CHECKING:
    from eosfm.features.task import Task

FEWEST = 10
"""Fewest source files for their tiles to be grouped as scenes; below, each tile is a scene."""

FACTS = ("kind", "ignore_index", "scenes")
"""Entries of the file that do not belong to a model."""


@dataclass(frozen=True)
class TaskEvidence:
    """Each model's per-tile evidence on the test tiles of one task.

    Attributes:
        kind: The task kind's name.
        ignore_index: Target that does not count.
        scenes: (N,) number of the scene that each tile is from, counted from 0.
        models: By model, (fits, N, ...): see :mod:`eosfm.kinds.evidence`.
    """

    kind: str
    ignore_index: int
    scenes: np.ndarray
    models: dict[str, np.ndarray]

    def scores(self, model: str, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Every metric of each fit for R weightings of the tiles (R, N): (fits, R) by name."""
        rule = get_kind(self.kind).evidence
        fits = [rule.scores(tiles, weights, self.ignore_index) for tiles in self.models[model]]
        return {metric: np.stack([fit[metric] for fit in fits]) for metric in fits[0]}

    def constant(self, metric: str) -> float:
        """The best that any answer which ignores the image reaches on these tiles; NaN for MAE."""
        rule = get_kind(self.kind).evidence
        found = {}
        for number, tiles in enumerate(rule.constants(next(iter(self.models.values()))[0])):
            scores = rule.scores(tiles, np.ones((1, len(tiles))), self.ignore_index)
            found[number] = scores[metric].item()
        return found[best_of(metric, found)]

    def confusion(self, model: str) -> np.ndarray | None:
        """(K, K) targets of each class by answers, all fits together; None where there is none."""
        return get_kind(self.kind).evidence.confusion(np.concatenate(self.models[model]))


def scenes_of(sources: np.ndarray) -> np.ndarray:
    """The scene of each tile, from what it was cut from: see :data:`FEWEST`."""
    names, scenes = np.unique(sources, return_inverse=True)
    return scenes if len(names) >= FEWEST else np.arange(len(sources))


def write_evidence(path: Path, task: "Task", results: Mapping[str, TaskResult]) -> None:
    """Write what a task's models did, each fit of them; the same content gives the same bytes."""
    models = {
        name: np.stack([fit.tiles for fit in result.fits]) for name, result in results.items()
    }
    scenes = scenes_of(task.store.split("test").sources).astype(np.int32)
    facts = (np.array(task.kind.name), np.array(task.ignore_index), scenes)
    with atomic(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **dict(zip(FACTS, facts, strict=True)), **models)  # type: ignore[arg-type]


def read_evidence(path: Path, target: str) -> TaskEvidence:
    """Read what :func:`write_evidence` wrote.

    Args:
        path: The file.
        target: What DVC builds to make it.

    Raises:
        EosfmError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            kind, ignore_index, scenes = (file[name] for name in FACTS)
            models = {name: file[name] for name in file.files if name not in FACTS}
    except FileNotFoundError:
        raise EosfmError(f"{path} not found; run `dvc repro {target}`") from None
    except DAMAGED as error:
        raise EosfmError(
            f"{path} is damaged ({type(error).__name__}); run `dvc repro -f {target}`"
        ) from None
    return TaskEvidence(str(kind), int(ignore_index), scenes, models)
