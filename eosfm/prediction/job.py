"""One prediction: a fitted task, a scene, and where the answer goes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from eosfm.evaluation.fitted import FittedTask
from eosfm.prediction.cut import Cut
from eosfm.prediction.inputs import TaskInput
from eosfm.prediction.rows import Arrays, Rows, joined
from eosfm.prediction.windows import Answered, Load, Part, Sweep, answered


@dataclass(frozen=True)
class Job:
    """What all kinds of output are made of.

    Attributes:
        out: The file to be.
        given: The scene.
        answer: From images (B, T, C, h, w) and days (B, T) to the model's logits.
        cut: How the scene is cut.
        weights: SHA-256 of the fitted task's file, which names the ensemble.
    """

    out: Path
    given: TaskInput
    answer: Callable[[Tensor, Tensor], Any]
    cut: Cut
    weights: str

    @property
    def fitted(self) -> FittedTask:
        """The fit."""
        return self.given.fitted

    @property
    def name(self) -> str:
        """What stands before the progress bar."""
        return f"predict {self.fitted.task}"

    def load(self, sweep: Sweep) -> Load:
        """How many windows are computed at once."""
        return self.cut.load(sweep, len(self.given.scenes))

    def reader(self, sweep: Sweep) -> Callable[[int, int], Part]:
        """Reads a window at a row and column."""
        return partial(self.given.read, size=sweep.window)

    def fill(
        self,
        sweep: Sweep,
        kept: Rows,
        answer: Callable[[Tensor, Tensor], Any],
        of: Callable[[Answered], Arrays],
        nothing: Arrays,
    ) -> None:
        """Keep the rows of windows that are not finished: ``of`` each answer, joined."""
        load, done = self.load(sweep), kept.done()
        found = [nothing]
        for one in answered(sweep, self.reader(sweep), answer, load, self.name, done):
            if one.answer is not None:
                found.append(of(one))
            if one.col == sweep.cols[-1]:
                kept.keep(one.number, joined(found))
                found = [nothing]

    def rows(self, sweep: Sweep, *options: Any) -> Rows:
        """What is finished of it; ``options`` are those of the output that decide the rows."""
        return Rows(
            self.out, Path(__file__).with_name("predict.py"), len(sweep.rows), self.weights,
            self.given.identity(), sweep, self.load(sweep), self.cut.where.type, options,
        )  # fmt: skip
