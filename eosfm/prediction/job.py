"""One prediction: a fitted task, a scene, and the output."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from eosfm.evaluation.fitted import FittedTask
from eosfm.prediction.cut import Cut
from eosfm.prediction.inputs import SceneSeries
from eosfm.prediction.rows import Arrays, Rows, joined
from eosfm.prediction.windows import Answered, Batching, Sweep, answered


@dataclass(frozen=True)
class Job:
    """Inputs and helpers that all kinds of output share.

    Attributes:
        out: The file to write.
        given: The scene.
        answer: From images (B, T, C, h, w) and days (B, T) to the model's logits.
        cut: How the scene is cut.
        weights: SHA-256 of the fitted task's file, which names the ensemble.
    """

    out: Path
    given: SceneSeries
    answer: Callable[[Tensor, Tensor], Any]
    cut: Cut
    weights: str

    @property
    def fitted(self) -> FittedTask:
        """The fitted task."""
        return self.given.fitted

    @property
    def name(self) -> str:
        """Label of the progress bar."""
        return f"predict {self.fitted.task}"

    def load(self, sweep: Sweep) -> Batching:
        """How many windows are computed at once."""
        return self.cut.load(sweep, len(self.given.scenes))

    def fill(
        self,
        sweep: Sweep,
        kept: Rows,
        answer: Callable[[Tensor, Tensor], Any],
        of: Callable[[Answered], Arrays],
        nothing: Arrays,
    ) -> None:
        """Compute and keep the missing rows of windows.

        Args:
            sweep: The windows.
            kept: The rows that are finished, and receive the others.
            answer: From images (B, T, C, h, w) and days (B, T) to an answer for each.
            of: From an answered window to arrays, which are concatenated per row.
            nothing: Empty arrays, for rows without a measured pixel.
        """

        def made(first: int) -> Iterator[Arrays]:
            found = [nothing]
            for one in answered(sweep, self.given.read, answer, self.load(sweep), self.name, first):
                if one.answer is not None:
                    found.append(of(one))
                if one.col == sweep.cols[-1]:
                    yield joined(found)
                    found = [nothing]

        kept.fill(made)

    def rows(self, sweep: Sweep, *options: Any) -> Rows:
        """Finished rows of this job; ``options`` are the output's own that rows depend on."""
        return Rows(
            self.out, Path(__file__).with_name("predict.py"), len(sweep.rows), self.weights,
            self.given.identity(), sweep, self.load(sweep), self.cut.where.type, options,
        )  # fmt: skip
