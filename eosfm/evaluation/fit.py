"""The training loop of heads: one protocol for the ensemble and every baseline.

One learning-rate cycle on the official splits; the best validation epoch is tested once (PANGAEA,
arXiv 2412.04204).

The loop is our own, since Lightning's trainer fits one model per run. Where inputs are encoded as
they are read, the models of all fits step on one stream of batches, each encoded once; elsewhere
each fit has its own stream, and on a CPU the fits run side by side in threads.

Fits differ in their seeds, which decide initial weights and batch order. On a shared stream the
order is that of the first seed, so the spread between fits leaves its effect out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Splits
from eosfm.evaluation.checkpoint import Checkpoint, Checkpoints
from eosfm.evaluation.examine import Answers, examine, score, shown_tiles
from eosfm.evaluation.late_fusion import PixelVoter, fuse, share_of, with_images
from eosfm.evaluation.learner import Best, Learner
from eosfm.evaluation.result import Fit, Scores
from eosfm.evaluation.trial import Trial, run_fits, seeded
from eosfm.features import processes
from eosfm.features.device import to_device
from eosfm.features.frozen import TaskSplit
from eosfm.features.source import Request
from eosfm.heads.temporal import require_days
from eosfm.kinds.scores import best_of

Log = Callable[[dict[str, float], int], None]
Keep = Callable[[nn.Module, Fit, Answers], None]


@dataclass(frozen=True)
class Context:
    """What goes along with the fits of a task, from the stage down to each.

    Attributes:
        log: Receives each validated epoch of the first fit.
        checkpoints: Where killed fits resume from.
        keep: Receives the model with the best validation score (at its best epoch), its fit, and
            its predictions for the test tiles in the picture. Not called for ``knn``, which has no
            model.
        voter: Pixel model for late fusion with each fitted model; None for no late fusion.
    """

    log: Log | None = None
    checkpoints: Checkpoints | None = None
    keep: Keep | None = None
    voter: PixelVoter | None = None


ALONE = Context()
"""Nothing goes along."""


def fit_all(
    build: Callable[[Trial], nn.Module],
    splits: Splits[Any],
    trials: Sequence[Trial],
    context: Context = ALONE,
    decisive: Any = None,
) -> list[Fit]:
    """Fit and test a model once per trial.

    Args:
        build: Makes the model; called with torch's random state seeded by the trial.
        splits: One :class:`eosfm.features.frozen.TaskSplit` per split.
        trials: One per seed.
        context: What goes along.
        decisive: Plain values that decide the result besides the trials, for the checkpoint's name.

    Returns:
        One per trial, scores of single classes included.

    Raises:
        EosfmError: A tile of a split has no date, and the aggregation needs them.
    """
    if trials[0].task.aggregation == "ltae":
        for split in splits:  # test tiles too, before their model is trained
            require_days(split.days)
    checkpoints, keep, voter = context.checkpoints, context.keep, context.voter
    shown = [] if keep is None else shown_tiles(splits.test, trials[0])

    def run(group: Sequence[Trial], follow: Log | None) -> list[tuple[Fit, Any, Answers]]:
        models = []
        for trial in group:
            with seeded(trial):
                models.append(build(trial))
        checkpoint = None
        if checkpoints is not None:
            settings = [trial.settings() for trial in group]
            devices = group[0].task.devices  # which decide the last digits
            checkpoint = checkpoints.of(decisive, devices, len(splits.train), settings)
        best = fit(models, splits.train, splits.val, group, log=follow, checkpoint=checkpoint)
        scores, test = [one.scores for one in best], splits.test
        if voter is not None:
            models, scores = map(list, zip(*fuse(models, voter, splits.val, group[0]), strict=True))
            test = with_images(test, voter.test)
        tested = examine(models, test, group[0], shown)
        return [
            (
                Fit(val, found.scores, one.epoch, found.tiles, share_of(model)),
                None if keep is None else model,
                found.answers,
            )
            for val, found, one, model in zip(scores, tested, best, models, strict=True)
        ]

    groups = [list(trials)] if splits.train.live else [[trial] for trial in trials]
    jobs = {n: partial(run, group, None if n else context.log) for n, group in enumerate(groups)}
    done = list(chain.from_iterable(run_fits(jobs).values()))
    if keep is not None:
        metric = trials[0].task.metric
        vals = {index: made.val[metric] for index, (made, *_) in enumerate(done)}
        chosen, model, answers = done[best_of(metric, vals)]
        keep(model, chosen, answers)
    return [fit for fit, *_ in done]


def fit(
    models: Sequence[nn.Module],
    train: TaskSplit[Any],
    val: TaskSplit[Any],
    trials: Sequence[Trial],
    *,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> list[Best]:
    """Train models on one stream of batches; load each one's best validation epoch at the end.

    Args:
        models: Called as ``model(inputs, size)``; what requires no gradient is not trained.
        train: The labelled training tiles.
        val: The validation tiles.
        trials: One per model, of one task.
        log: Receives mean loss and validation score of the first model's validated epochs.
        checkpoint: File to resume from and to save to.

    Returns:
        The best epoch of each.
    """
    task, protocol = trials[0].task, trials[0].task.protocol
    metric, epochs, steps = task.metric, protocol.epochs, steps_per_epoch(trials[0], train)
    if len(train) < processes.count():
        raise EosfmError(
            f"task {task.name} has {len(train)} labelled training tiles for {processes.count()} "
            f"processes; set tasks.{task.name}.devices to less, or raise its label_fraction"
        )
    learners = [Learner(m, t, epochs * steps) for m, t in zip(models, trials, strict=True)]
    progress = _Progress(learners, log)
    if checkpoint is not None:
        if (state := processes.from_first(checkpoint.read)) is not None:
            progress.load(state)
        checkpoint = checkpoint if processes.is_first() else None
    bar = tqdm(
        total=epochs * steps, initial=progress.steps, desc=task.name, unit="batch",
        disable=None if processes.is_first() else True, leave=False,
    )  # fmt: skip
    with bar:
        for epoch in range(progress.epochs + 1, epochs + 1):
            requests = training_batches(train, trials[0], steps, epoch)
            for inputs, target in train.batches(requests[progress.steps - (epoch - 1) * steps :]):
                inputs, target = to_device((inputs, target))
                losses = [one.step(inputs, target, train.windows.size) for one in learners]
                progress.step(torch.stack(losses))
                bar.update()
                if checkpoint is not None:
                    checkpoint.offer(progress.state)
            progress.check(epoch, task.name)
            scored = epoch % protocol.validate_every == 0 or epoch == epochs
            processes.share_buffers(models)
            scores = score(models, val, trials[0]) if scored else []
            progress.finish(epoch, scores, metric)
            if checkpoint is not None:
                checkpoint.offer(progress.state)
    if checkpoint is not None:
        checkpoint.done(progress.state)
    for model, learner in zip(models, learners, strict=True):
        model.load_state_dict(learner.best.state)
    return [learner.best for learner in learners]


class _Progress:
    """Training state of fits that share a stream: steps, epochs, losses and validation curve."""

    def __init__(self, learners: Sequence[Learner], log: Log | None) -> None:
        self.learners, self.log = learners, log
        self.steps = self.epochs = 0
        self.losses: list[Tensor] = []
        self.curve: list[tuple[int, dict[str, float]]] = []

    def step(self, losses: Tensor) -> None:
        """Count a step, with the loss of each model."""
        self.steps += 1
        self.losses.append(losses)

    def check(self, epoch: int, task: str) -> None:
        """Stop diverged fits before they are validated.

        Raises:
            EosfmError: A model's mean loss over the epoch is not finite.
        """
        for loss in torch.stack(self.losses).mean(0).tolist():
            if not math.isfinite(loss):
                raise EosfmError(
                    f"fitting {task} diverged: loss {loss} in epoch {epoch}; expected a finite "
                    "one; lower the lr of scales.<scale>.protocol"
                )

    def finish(self, epoch: int, scores: Sequence[Scores], metric: str) -> None:
        """Count an epoch, with the validation scores of each model, if there are any."""
        for learner, own in zip(self.learners, scores, strict=bool(scores)):
            learner.best.offer(own, epoch, learner.model)
        if scores:
            loss = float(torch.stack(self.losses)[:, 0].mean())
            self._tell(epoch, {"loss": loss, f"val_{metric}": scores[0][metric]})
        self.epochs = epoch
        self.losses = []

    def state(self) -> dict[str, Any] | None:
        """State for a checkpoint; None once a fit diverged, so that the last good one is kept."""
        if not all(learner.finite for learner in self.learners):
            return None
        own = {key: getattr(self, key) for key in ("steps", "epochs", "curve")}
        # One tensor: those of tens of thousands of steps would take seconds.
        losses = torch.stack(self.losses) if self.losses else torch.empty(0)
        learners = [learner.state() for learner in self.learners]
        return own | {"losses": losses, "learners": learners}

    def load(self, state: dict[str, Any]) -> None:
        """Restore a checkpoint; log past epochs again, since DVC deletes the curves on a rerun."""
        self.steps, self.epochs = state["steps"], state["epochs"]
        self.losses = list(to_device(state["losses"]))
        for learner, own in zip(self.learners, state["learners"], strict=True):
            learner.load(own)
        for epoch, point in state["curve"]:
            self._tell(epoch, point)

    def _tell(self, epoch: int, point: dict[str, float]) -> None:
        self.curve.append((epoch, point))
        if self.log is not None:
            self.log(point, epoch)


def steps_per_epoch(trial: Trial, train: TaskSplit[Any]) -> int:
    """Batches of an epoch: the protocol's number, or one pass."""
    protocol = trial.task.protocol
    return protocol.steps_per_epoch or max(1, len(train.one_pass) // protocol.batch_size)


def training_batches(train: TaskSplit[Any], trial: Trial, steps: int, epoch: int) -> list[Request]:
    """The batches of an epoch; the window of a tile is drawn anew each time it is read.

    Of several processes, each has its share of every batch.
    """
    order = (trial.seed, epoch)
    batches = _batches(train.one_pass, steps, trial.task.protocol.batch_size, order)
    return [
        Request(processes.share(tiles) * train.windows.count, draw=(*order, number))
        for number, tiles in enumerate(batches)
    ]


def _batches(tiles: np.ndarray, batches: int, size: int, seed: tuple[int, int]) -> list[np.ndarray]:
    """The tiles of each batch of an epoch, from as many permutations as needed."""
    rng = np.random.default_rng(seed)
    size = min(size, len(tiles))
    size -= size % processes.count()  # of which each has as many
    rounds = -(-batches * size // len(tiles))
    order = np.concatenate([rng.permutation(tiles) for _ in range(rounds)])
    return [order[i * size : (i + 1) * size] for i in range(batches)]
