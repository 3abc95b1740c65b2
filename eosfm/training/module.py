"""A specialist in training: encoder, head, loss and metrics as one Lightning module."""

from collections.abc import Sequence
from typing import Any

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eosfm.kinds import Kind
from eosfm.nn.backbone import STRIDES

WEIGHT_DECAY = 0.05


class SpecialistModule(lightning.LightningModule):
    """Encoder and head, trained with AdamW and one cycle of the learning rate.

    Args:
        encoder: Gives four maps at strides 4, 8, 16, 32 for (B, C, H, W).
        head: See :meth:`eosfm.kinds.Kind.build_head`, for channels as the kind merges them.
        kind: Task kind.
        loss: Name of the loss.
        classes: Class names.
        ignore_index: Target value that does not count.
        lr: Highest learning rate.
        class_weights: One per class, for the loss.
        stacked: Whether the encoder takes all dates at once, one after the other in its channels.
    """

    def __init__(
        self,
        encoder: nn.Module,
        head: nn.Module,
        kind: Kind,
        loss: str,
        classes: Sequence[str],
        ignore_index: int,
        lr: float,
        class_weights: Sequence[float] | None = None,
        stacked: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.kind = kind
        self.loss = kind.build_loss(loss, ignore_index, class_weights)
        self.metrics = kind.build_metrics(classes, ignore_index)
        self.lr = lr
        self.stacked = stacked
        self.scores: dict[str, float] = {}
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Any:
        """Answer for (B, T, C, H, W) float32, standardised; logits as the head's."""
        if self.stacked:
            image = image.flatten(1, 2).unsqueeze(1)
        batch, dates, _, height, width = image.shape
        padding = (0, -width % STRIDES[-1], 0, -height % STRIDES[-1])
        padded = F.pad(image.flatten(0, 1), padding, mode="replicate")
        levels = self.encoder(padded.contiguous(memory_format=torch.channels_last))
        maps = [self.kind.merge_dates(level.unflatten(0, (batch, dates))) for level in levels]
        logits = self.head(maps, (padded.shape[-2], padded.shape[-1]))
        return self.kind.trim(logits, (height, width))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """One step."""
        return self.loss(self(batch["image"]), self.kind.target(batch))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Score one batch."""
        self.metrics.update(self(batch["image"]), self.kind.target(batch))

    def on_validation_epoch_end(self) -> None:
        """Gather the split's scores in :attr:`scores`."""
        self.scores = self.metrics.compute()
        self.metrics.reset()

    def configure_optimizers(self) -> Any:
        """AdamW with decay on matrices and kernels alone, one cycle over all steps."""
        decayed = [p for p in self.parameters() if p.requires_grad and p.ndim > 1]
        plain = [p for p in self.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": WEIGHT_DECAY},
            {"params": plain, "weight_decay": 0.0},
        ]
        trainer: Any = self.trainer
        # Lightning cannot clip the gradients of a fused optimizer in mixed precision.
        fused = "mixed" not in trainer.precision
        optimizer = torch.optim.AdamW(groups, lr=self.lr, fused=fused)
        # A loader of our own to count by: the trainer's, built now, would begin a resumed run
        # with the batches of its first epoch.
        steps = trainer.max_epochs * len(trainer.datamodule.train_dataloader())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total_steps=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
