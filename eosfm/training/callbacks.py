"""What a training run keeps of its epochs, and what it shows of them."""

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from eosfm.core.errors import EosfmError

Log = Callable[[dict[str, float], int], None]

SAVE_EVERY = 60.0
"""Seconds between checkpoints, at least: short epochs cost more to save than to repeat."""


class Record(lightning.Callback):
    """Each epoch's loss and scores, and the weights as they were in the best epoch.

    It travels in the checkpoint, so a resumed run still knows the epochs before it, and tells
    ``log`` of them again.

    Args:
        headline: The score that decides which epoch is best, the earliest of equals.
        log: Called with loss and headline score, and the epoch counted from 1.
        name: Of the specialist, for errors.
        patience: End the training after so many epochs without a better score; None never does.
    """

    def __init__(self, headline: str, log: Log, name: str, patience: int | None = None) -> None:
        self.headline = headline
        self.report = log
        self.name = name
        self.patience = patience
        self.epochs: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best_weights: dict[str, Tensor] = {}
        self._losses: list[Tensor] = []

    @property
    def best(self) -> dict[str, float]:
        """Scores of the best epoch."""
        return self.epochs[self.best_epoch - 1]

    @property
    def best_encoder(self) -> dict[str, Tensor]:
        """The encoder's weights in the best epoch."""
        return self._best_part("encoder.")

    @property
    def best_head(self) -> dict[str, Tensor]:
        """The head's weights in the best epoch."""
        return self._best_part("head.")

    def _best_part(self, prefix: str) -> dict[str, Tensor]:
        return {
            key.removeprefix(prefix): value
            for key, value in self.best_weights.items()
            if key.startswith(prefix)
        }

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Do not go on where the run that is resumed had lost its patience."""
        trainer.should_stop |= self._stale()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any) -> None:
        """Keep the loss, where it is: reading it would wait for the device."""
        self._losses.append(outputs["loss"].detach())

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep the epoch's scores, and its encoder where it is the best so far."""
        loss = float(trainer.strategy.reduce(torch.stack(self._losses).mean()))
        self._losses.clear()
        if not math.isfinite(loss):
            raise EosfmError(
                f"training {self.name} diverged: loss {loss} in epoch {len(self.epochs) + 1}; "
                "expected a finite one; lower its lr"
            )
        scores = {"loss": loss, **pl_module.scores}
        self.epochs.append(scores)
        if not self.best_epoch or scores[self.headline] > self.best[self.headline]:
            self.best_epoch = len(self.epochs)
            self.best_weights = {
                key: value.detach().cpu().clone() for key, value in pl_module.state_dict().items()
            }
        trainer.should_stop |= self._stale()
        if trainer.is_global_zero:
            self._tell(len(self.epochs))

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.epochs = list(state_dict["epochs"])
        self.best_epoch = state_dict["best_epoch"]
        self.best_weights = state_dict["best_weights"]
        for epoch in range(1, len(self.epochs) + 1):
            self._tell(epoch)

    def _stale(self) -> bool:
        """Whether the best epoch lies further back than patience allows."""
        return self.patience is not None and len(self.epochs) - self.best_epoch >= self.patience

    def _tell(self, epoch: int) -> None:
        scores = self.epochs[epoch - 1]
        self.report({"loss": scores["loss"], self.headline: scores[self.headline]}, epoch)


class Progress(lightning.Callback):
    """A bar with rates on a terminal, one line per epoch elsewhere."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._terminal = sys.stderr.isatty()
        self._bar: Any = None
        self._start = 0.0
        self._first_step = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin where the run begins."""
        from tqdm import tqdm

        self._bar = tqdm(
            desc=f"train {self.record.name}",
            total=trainer.max_epochs * trainer.num_training_batches,
            initial=trainer.global_step,
            unit="step",
            disable=not (self._terminal and trainer.is_global_zero),
        )

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock of the epoch."""
        self._start = time.perf_counter()
        self._first_step = trainer.global_step

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """One step further."""
        self._bar.update()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Show the epoch's scores."""
        headline, scores = self.record.headline, self.record.epochs[-1]
        self._bar.set_postfix(
            {"loss": f"{scores['loss']:.3f}", headline: f"{scores[headline]:.3f}"}
        )
        if not self._terminal and trainer.is_global_zero:
            rate = (trainer.global_step - self._first_step) / (time.perf_counter() - self._start)
            print(
                f"train {self.record.name}: epoch {len(self.record.epochs)}/{trainer.max_epochs}, "
                f"loss {scores['loss']:.3f}, {headline} {scores[headline]:.3f}, {rate:.1f} steps/s",
                flush=True,
            )

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Close the bar."""
        self._bar.close()


class Checkpoint(ModelCheckpoint):
    """The last whole epoch as ``last.ckpt``, unless the one before was saved a moment ago."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
        self._saved = 0.0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._saved = time.perf_counter()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save where it is time to: every process together, when the first says so."""
        due = time.perf_counter() - self._saved >= SAVE_EVERY
        if trainer.strategy.broadcast(due):
            super().on_train_epoch_end(trainer, pl_module)
            self._saved = time.perf_counter()
