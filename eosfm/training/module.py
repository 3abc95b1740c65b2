"""A specialist in training: encoder, head, loss and metrics as one Lightning module."""

from collections.abc import Mapping, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from eosfm.core.seeds import derive_seed
from eosfm.heads.optim import build_optimizer, build_schedule
from eosfm.kinds import Kind
from eosfm.nn.pyramid import on_grid
from eosfm.recipes import Method, Plateau
from eosfm.training.augmentation import build_augmentation

NEVER = 2**62
"""Keeps Lightning from stepping a plateau schedule: it would do so after the epoch's checkpoint, so
a resumed run would miss the step. The end of validation steps it instead."""


class SpecialistModule(lightning.LightningModule):
    """Encoder and head, trained by one method.

    Args:
        encoder: Gives four maps at strides 4, 8, 16, 32 for (B, C, H, W).
        head: See :meth:`eosfm.kinds.Kind.build_head`, for channels as the kind merges them.
        kind: Task kind.
        loss: Called with logits and target.
        classes: Class names.
        ignore_index: Target value that does not count.
        lr: Highest learning rate.
        method: Optimiser, schedule, augmentation and the like.
        seed: Seeds the random numbers of the training steps.
        unit: In which errors are measured for the gradients (:attr:`TargetStatistics.unit`).
        stacked: Whether the encoder takes all dates at once, stacked in its channels.

    Attributes:
        scores: Of the latest validation.
    """

    def __init__(
        self,
        encoder: nn.Module,
        head: nn.Module,
        kind: Kind,
        loss: nn.Module,
        classes: Sequence[str],
        ignore_index: int,
        lr: float,
        method: Method,
        seed: int,
        unit: float = 1.0,
        stacked: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.kind = kind
        self.loss = loss
        self.metrics = kind.build_metrics(classes, ignore_index)
        self.metrics.distributed_available_fn = lambda: False  # we gather its counts ourselves
        self.lr = lr
        self.method = method
        self.seed = seed
        self.unit = unit
        self.augment = build_augmentation(method.augmentation, kind, method.scaling)
        self.stacked = stacked
        self.scores: dict[str, float] = {}
        self._losses: list[Tensor] = []  # on validation: each batch's sum, and its tiles
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Any:
        """Answer for (B, T, C, H, W) float32, standardised; logits as the head's."""
        if self.stacked:
            image = image.flatten(1, 2).unsqueeze(1)
        batch, dates, _, height, width = image.shape
        padded = on_grid(image.flatten(0, 1))
        levels = self.encoder(padded.contiguous(memory_format=torch.channels_last))
        maps = [self.kind.merge_dates(level.unflatten(0, (batch, dates))) for level in levels]
        logits = self.head(maps, (padded.shape[-2], padded.shape[-1]))
        return self.kind.trim(logits, (height, width))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed each step by its number, so that a resumed run draws the same random numbers."""
        torch.manual_seed(derive_seed(self.seed, "step", self.global_step, self.global_rank))

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        """Loss of one step; with several processes, gradients are averaged."""
        if self.augment is not None:
            batch = self.augment(batch)
        return self.loss(self(batch["image"]), self.kind.target(batch))

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take the gradients; the loss that is told stays in the target's unit."""
        super().backward(loss / self.unit**2, *args, **kwargs)

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        """Score one batch; its loss is computed only for a plateau schedule."""
        logits, target = self(batch["image"]), self.kind.target(batch)
        self.metrics.update(logits, target)
        if isinstance(self.method.schedule, Plateau):
            loss, count = self.loss(logits, target), len(batch["image"])
            self._losses.append(torch.stack([loss * count, torch.full_like(loss, count)]))

    def on_validation_epoch_end(self) -> None:
        """Gather the split's scores in :attr:`scores`."""
        if self.trainer.world_size > 1:
            self._gather_counts()
        self.scores = self.metrics.compute()
        self.metrics.reset()
        if self._losses:
            loss, count = self.trainer.strategy.reduce(sum(self._losses), reduce_op="sum")
            self._losses.clear()
            plateau: Any = self.lr_schedulers()
            plateau.step(float(loss / count))

    def _gather_counts(self) -> None:
        """Bring together what all processes counted: sums of tensors, and lists of any length.

        torchmetrics' own way fails where lists (of boxes) differ in length.
        """
        for name, mine in self.metrics.metric_state.items():
            if isinstance(mine, Tensor):
                whole: Any = self.trainer.strategy.reduce(mine.clone(), reduce_op="sum")
            else:
                parts: list[Any] = [None] * self.trainer.world_size
                torch.distributed.all_gather_object(parts, [part.cpu() for part in mine])
                whole = [one for part in parts for one in part]
            setattr(self.metrics, name, whole)

    def configure_optimizers(self) -> Any:
        """The method's optimiser and schedule."""
        trainer: Any = self.trainer
        method = self.method
        optimizer = build_optimizer(
            self,
            self.lr,
            # Lightning cannot clip the gradients of a fused optimizer in mixed precision.
            fused="mixed" not in trainer.precision,
            name=method.optimizer,
            weight_decay=method.weight_decay,
            kernels_only=method.decay == "kernels",
        )
        if method.schedule == "constant":
            return optimizer
        if isinstance(method.schedule, Plateau):
            plateau = ReduceLROnPlateau(optimizer, **method.schedule.model_dump())
            registered = {"scheduler": plateau, "monitor": "none", "frequency": NEVER}
            return {"optimizer": optimizer, "lr_scheduler": registered}
        # Count steps with a loader of our own: building the trainer's here would make a resumed run
        # read the batches of its first epoch.
        steps = trainer.max_epochs * len(trainer.datamodule.train_dataloader())
        schedule = build_schedule(optimizer, self.lr, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
