"""Scores a task's best fit on whole scenes, blended as in a map: ``eosfm score --task``."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from eosfm.core.bands import find
from eosfm.core.errors import EosfmError, suggest
from eosfm.datasets import get_dataset
from eosfm.datasets.native.copy import NativeCopy, native_files
from eosfm.datasets.native.spec import Dataset, Scene, Window
from eosfm.evaluation.fitted import FittedTask, read_fitted
from eosfm.features.dates import days_of, pick_dates
from eosfm.kinds import get_kind
from eosfm.kinds.pixel import PixelKind
from eosfm.params import Params
from eosfm.prediction.cut import Cut
from eosfm.prediction.inputs import part_of
from eosfm.prediction.model import answering, load_model
from eosfm.prediction.windows import Part, strips
from eosfm.tiles.statistics import unmeasured_among


@dataclass(frozen=True)
class SceneScores:
    """Scores of whole scenes, by metric; those of single classes as ``<metric>/<class>``.

    Attributes:
        scenes: Scores of each scene by its id; those without a label are left out. Their ``miou``
            is over the classes in the scene's label or map, not over all of the task.
        all: Scores over the pixels of all scenes.
        constant: The same, had each pixel got one class, by that class; empty for a regression.
    """

    scenes: dict[str, dict[str, float]] = field(default_factory=dict)
    all: dict[str, float] = field(default_factory=dict)
    constant: dict[str, dict[str, float]] = field(default_factory=dict)


def score_task(params: Params, name: str, split: str, artifact: Path, cut: Cut) -> SceneScores:
    """Score a task on the whole scenes of a split, read from the dataset's native files.

    Raises:
        EosfmError: See :func:`score_scenes`; or the dataset has no such split, a file is missing,
            or the task was not evaluated.
    """
    key = params.task(name).dataset
    fitted = read_fitted(Path("models/tasks") / f"{name}.pt")
    entry = params.dataset(key)
    if split not in entry.splits:
        raise EosfmError(f"--split {split}; {suggest(split, entry.splits)}")
    copy = NativeCopy(key, entry.reader, params.source(key), entry.root, params.archives)
    with native_files(copy, Path("data/raw") / key) as root:
        dataset = replace(get_dataset(entry.reader).below(root), name=key)
        scenes = (scene for scene in dataset.scenes(root) if scene.split == split)
        return score_scenes(fitted, artifact, dataset, scenes, cut)


def score_scenes(
    fitted: FittedTask, artifact: Path, dataset: Dataset, scenes: Iterable[Scene], cut: Cut
) -> SceneScores:
    """Score a fitted task on scenes in their native files.

    Memory does not grow with a scene's height.

    Args:
        fitted: The task's best fit.
        artifact: The ensemble that it was fitted on.
        dataset: Dataset of the scenes.
        scenes: The scenes to score.
        cut: How each is cut.

    Raises:
        EosfmError: The task gives no answer per pixel, the dataset lacks a band, or no scene is
            labelled.
    """
    kind = get_kind(fitted.kind)
    if not isinstance(kind, PixelKind):
        raise EosfmError(
            f"task {fitted.task} is {kind.name}, without an answer per pixel; expected a task of "
            "maps; results/evaluate has its score on images"
        )
    answer = answering(load_model(fitted, artifact), cut.where)
    everything, result = _metrics(fitted), SceneScores()
    constants = {name: _metrics(fitted) for name in fitted.classes if len(fitted.classes) > 1}
    for scene in scenes:
        own, labelled = _metrics(fitted), False
        given = NativeScene(fitted, dataset, scene)
        for logits, target in _answers(fitted, answer, given, cut):
            labelled |= bool((~_blank(target, kind.blank(fitted.ignore_index))).any())
            own.update(logits, target)
            everything.update(logits, target)
            for only, metrics in zip(torch.eye(len(constants)), constants.values(), strict=True):
                metrics.update(only[:, None, None].expand_as(logits), target)
        if labelled:
            result.scenes[scene.id] = _of_classes_there(own.compute())
    if not result.scenes:
        raise EosfmError(f"{dataset.name} has no labelled scene in this split; choose another")
    result.all.update(everything.compute())
    result.constant.update({name: metrics.compute() for name, metrics in constants.items()})
    return result


class NativeScene:
    """A scene in its native files, read as a fitted task takes it.

    Raises:
        EosfmError: The dataset lacks a band.
    """

    def __init__(self, fitted: FittedTask, dataset: Dataset, scene: Scene) -> None:
        self.fitted = fitted
        self.scene = scene
        self.size = scene.height, scene.width
        if scene.bands:
            dataset = dataset.only(scene.bands)
        there = dataset.bands
        found = [find(name, there) for name in fitted.bands]
        if None in found:
            lacking = fitted.bands[found.index(None)]
            raise EosfmError(
                f"task {fitted.task} takes band {lacking}, which {dataset.name} lacks; it has "
                f"{', '.join(there)}; take the dataset of the task"
            )
        self._channels = [there.index(name) for name in found if name]
        self._groups = [
            (group.positions(there), used, group.nodata)
            for group in dataset.band_groups
            if (used := [at for at, name in enumerate(group.bands) if name in found])
        ]

    @property
    def days(self) -> Tensor:
        """(T,) day of each date in use, NaN where unknown."""
        stored = max(1, len(self.scene.dates))
        days = days_of([self.scene.dates], pick_dates(stored, self.fitted.dates), stored)
        return torch.from_numpy(days[0])

    def read(self, row: int, col: int, size: tuple[int, int]) -> Part:
        """Read a window, scaled as tiles are; beyond the scene, its last row and column repeat."""
        height, width = min(size[0], self.size[0] - row), min(size[1], self.size[1] - col)
        stored = self.scene.image(Window(row, col, height, width))
        stored = stored[list(pick_dates(len(stored), self.fitted.dates))]
        if stored.dtype.kind == "f":
            stored = np.where(np.isinf(stored), np.nan, stored)  # as in tiles
        missing = np.ones((len(stored), height, width), bool)
        for group, used, nodata in self._groups:
            missing &= unmeasured_among(stored[:, group], used, nodata)
        values = stored[:, self._channels].astype(np.float32)
        np.copyto(values, np.nan, where=missing[:, None])
        beyond = ((0, size[0] - height), (0, size[1] - width))
        padded = np.pad(values, ((0, 0), (0, 0), *beyond), mode="edge")
        return part_of(self.fitted, padded, self.days)

    def target(self, row: int, unknown: np.ndarray) -> Tensor:
        """(1, n, W) labels of full-width rows, blank where nothing was measured."""
        stored = self.scene.target(Window(row, 0, *unknown.shape))
        target = stored.astype(np.float32 if stored.dtype.kind == "f" else np.int64)
        target[unknown] = get_kind(self.fitted.kind).blank(self.fitted.ignore_index)
        return torch.from_numpy(target)[None]


def _answers(
    fitted: FittedTask, answer: Callable[[Tensor, Tensor], Any], scene: NativeScene, cut: Cut
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield logits (1, K, n, W) and labels (1, n, W) of a scene, strip by strip."""
    sweep = cut.sweep(scene.size, max(fitted.window))
    for strip in strips(
        sweep, scene.read, answer, len(fitted.classes), cut.load(sweep, fitted.dates), 1,
        f"score {scene.scene.id}",
    ):  # fmt: skip
        yield strip.values[None], scene.target(strip.row, strip.unknown)


def _of_classes_there(scores: dict[str, float]) -> dict[str, float]:
    """Scores with a ``miou`` over the classes that occur, if there is one."""
    there = [value for name, value in scores.items() if name.startswith("iou/")]
    return {**scores, "miou": sum(there) / len(there)} if there else scores


def _metrics(fitted: FittedTask) -> Metric:
    return get_kind(fitted.kind).build_metrics(fitted.classes, fitted.ignore_index)


def _blank(target: Tensor, value: float) -> Tensor:
    return target.isnan() if target.is_floating_point() else target == value
