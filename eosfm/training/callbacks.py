"""Lightning callbacks: the record of epochs, checkpoints, and a progress line per epoch."""

import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.kinds.scores import better
from eosfm.nn.faults import weight_faults

SAVE_SECONDS = 60.0
"""Least time between two checkpoints, so about the most work that a crash can lose."""

LOOK = 25
"""Steps of several processes between two looks at the first one's clock: for each, all of them wait
until their devices are done."""


class Record(lightning.Callback):
    """Each epoch's loss and scores, and the weights of the best epoch.

    Not ``ModelCheckpoint``, because scores and best weights must be in the same checkpoint: it
    keeps the best weights in a file of their own, which a kill between the two writes leaves out of
    step, and DVC deletes the curves before it reruns a stage.

    Args:
        headline: Score that decides which epoch is best; the earlier one on a tie.
        name: Name of the specialist, for error messages.
        last: Whether to keep the last epoch instead; "best" then means the last.
    """

    def __init__(self, headline: str, name: str, last: bool = False) -> None:
        self.headline = headline
        self.name = name
        self.last = last
        self.epochs: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best_weights: dict[str, Tensor] = {}
        self._losses: list[Tensor] = []

    @property
    def best(self) -> dict[str, float]:
        """Scores of the best epoch."""
        return self.epochs[self.best_epoch - 1]

    def losses(self, pl_module: Any) -> Tensor:
        """(steps,) losses of this epoch so far, on the model's device."""
        if not self._losses:
            return torch.empty(0, device=pl_module.device)
        return torch.stack([loss.to(pl_module.device) for loss in self._losses])

    def check(self, loss: float) -> None:
        """Stop a training that diverges.

        Raises:
            EosfmError: The loss is not finite.
        """
        if not math.isfinite(loss):
            raise EosfmError(
                f"training {self.name} diverged: loss {loss} in epoch {len(self.epochs) + 1}; "
                "expected a finite one; lower its lr"
            )

    def best_part(self, part: str) -> dict[str, Tensor]:
        """The weights of the ``encoder`` or the ``head`` in the best epoch."""
        return {
            key.removeprefix(f"{part}."): value
            for key, value in self.best_weights.items()
            if key.startswith(f"{part}.")
        }

    def shown(self, epoch: int) -> dict[str, float]:
        """Loss and headline score of an epoch, counted from 1."""
        return {key: self.epochs[epoch - 1][key] for key in ("loss", self.headline)}

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Log the epochs before a resumed one again.

        Not in ``on_train_start``: Lightning skips that when all epochs are already done.
        """
        for epoch in range(1, len(self.epochs) + 1):
            self._tell(trainer, epoch)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any) -> None:
        """Keep the loss on its device: reading it here would wait for the device."""
        self._losses.append(outputs["loss"].detach())

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep the epoch's scores, and its weights where it is the best so far."""
        loss = float(trainer.strategy.reduce(self.losses(pl_module).mean()))
        self._losses.clear()
        self.check(loss)
        scores = {"loss": loss, **pl_module.scores}
        self.epochs.append(scores)
        value, first = self.headline, not self.best_epoch
        if first or self.last or better(value, scores[value], self.best[value]):
            self.best_epoch = len(self.epochs)
            self.best_weights = {
                key: value.detach().cpu().clone() for key, value in pl_module.state_dict().items()
            }
        pl_module.log_dict(
            self.shown(len(self.epochs)), prog_bar=True, logger=False, sync_dist=True
        )
        self._tell(trainer, len(self.epochs))

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Save the epochs, and each process's losses since the last one."""
        own = self.losses(pl_module).cpu()  # one tensor: tens of thousands would take seconds
        losses: list[Any] = [own]
        if trainer.world_size > 1:
            losses = [None] * trainer.world_size
            torch.distributed.all_gather_object(losses, own)
        kept = {key: getattr(self, key) for key in ("epochs", "best_epoch", "best_weights")}
        checkpoint["record"] = kept | {"losses": losses}

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Restore the epochs, and this process's losses."""
        kept = checkpoint["record"]
        self._losses = list(kept.pop("losses")[trainer.global_rank])
        for key, value in kept.items():
            setattr(self, key, value)

    def _tell(self, trainer: Any, epoch: int) -> None:
        """Write an epoch's point; through ``self.log`` its step would be that of the optimizer."""
        if trainer.logger is not None and trainer.is_global_zero:
            # Without `sync` the logger asks which function of Lightning calls it, in half a second.
            trainer.logger.log_metrics(self.shown(epoch), epoch, sync=True)


class Checkpoints(Checkpoint):
    """The run as it is, in one file, at most once a minute: after a batch or after an epoch.

    Not ``ModelCheckpoint``, because that saves by the clock only after batches, after an epoch's
    last batch before its validation. Nothing is saved once early stopping has ended the training,
    so a checkpoint never holds a stopped run.

    A diverged epoch ends the training; the last good checkpoint stays.

    Args:
        file: The checkpoint, overwritten atomically.
        record: The record of losses, checked for divergence before each save.
    """

    def __init__(self, file: Path, record: Record) -> None:
        self.file = file
        self.record = record
        self._saved = 0.0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock."""
        self._saved = time.monotonic()

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Save within the epoch."""
        last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        looks = trainer.world_size == 1 or trainer.global_step % LOOK == 0
        if looks and not last:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save between epochs."""
        if not trainer.should_stop:
            self._save(trainer)

    def _save(self, trainer: Any) -> None:
        """Save if it is time by the clock of the first process."""
        due = time.monotonic() - self._saved >= SAVE_SECONDS
        if not trainer.strategy.broadcast(due):
            return
        self._saved = time.monotonic()
        module = trainer.lightning_module
        self.record.check(float(trainer.strategy.reduce(self.record.losses(module).sum())))
        if not any(weight_faults("", module.state_dict())):
            # Lightning writes to the machine's folder for temporary files, and moves that here: a
            # copy where it is another disk, which a crash may cut. The first process alone writes.
            whole = atomic(self.file) if trainer.is_global_zero else nullcontext(self.file)
            with whole as place:
                trainer.save_checkpoint(place)


class EpochLines(lightning.Callback):
    """One line per epoch, where there is no terminal for a progress bar."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._steps = 0
        self._start = 0.0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock; a run that resumes within an epoch is not told of its start."""
        self._steps, self._start = 0, time.perf_counter()

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock of the epoch."""
        self.on_train_start(trainer, pl_module)

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Count the steps."""
        self._steps += 1

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Print the epoch's scores."""
        epoch = len(self.record.epochs)
        scores = (f"{key} {value:.3f}" for key, value in self.record.shown(epoch).items())
        rate = speed(self._steps, time.perf_counter() - self._start)
        if trainer.is_global_zero:
            print(
                f"train {self.record.name}: epoch {epoch}/{trainer.max_epochs}, "
                f"{', '.join(scores)}, {rate}",
                flush=True,
            )


def speed(steps: int, seconds: float) -> str:
    """Steps per second, or seconds per step if a step takes a second or more."""
    each = seconds / max(steps, 1)
    return f"{1 / each:.1f} steps/s" if each < 1 else f"{each:.1f} s/step"
