"""The one optimiser and the one schedule of all trainings, of specialists and of heads."""

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

WEIGHT_DECAY = 0.05


def build_optimizer(module: nn.Module, lr: float, fused: bool = True) -> AdamW:
    """AdamW with weight decay on matrices and kernels alone: norms and biases are exempt.

    Args:
        module: What requires a gradient in it is trained.
        lr: Learning rate.
        fused: Whether one kernel updates all parameters; the same numbers, faster.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=lr, fused=fused)


def build_schedule(optimizer: torch.optim.Optimizer, lr: float, steps: int) -> OneCycleLR:
    """One cycle of the learning rate, ``lr`` at its highest, over so many steps."""
    return OneCycleLR(optimizer, lr, total_steps=steps)
