"""Optimisers and the one-cycle learning rate schedule, for specialists and heads."""

import torch
from torch import nn
from torch.optim import Adam, AdamW
from torch.optim.lr_scheduler import OneCycleLR

from eosfm.heads.muon import Muon

OPTIMIZERS = {"adam": Adam, "adamw": AdamW, "muon": Muon}
WEIGHT_DECAY = 0.05
"""Default, for heads of tasks."""


def build_optimizer(
    module: nn.Module,
    lr: float,
    fused: bool = True,
    name: str = "adamw",
    weight_decay: float = WEIGHT_DECAY,
    kernels_only: bool = True,
) -> torch.optim.Optimizer:
    """An optimiser with weight decay.

    Args:
        module: Its parameters that require a gradient are trained.
        lr: Learning rate.
        fused: Whether one kernel updates all parameters; the same numbers, faster.
        name: One of :data:`OPTIMIZERS`.
        weight_decay: Decoupled from the gradient in AdamW and Muon, added to it in Adam.
        kernels_only: Whether norms and biases (at most one axis) are exempt from weight decay.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {
            "params": [p for p in trained if p.ndim <= 1],
            "weight_decay": 0.0 if kernels_only else weight_decay,
        },
    ]
    return OPTIMIZERS[name](groups, lr=lr, fused=fused)


def build_schedule(optimizer: torch.optim.Optimizer, lr: float, steps: int) -> OneCycleLR:
    """One cycle of the learning rate, ``lr`` at its highest, over so many steps.

    The momentum of Adam and AdamW goes from 0.95 to 0.85 and back along with it; Muon's stays.
    """
    return OneCycleLR(optimizer, lr, total_steps=steps)
