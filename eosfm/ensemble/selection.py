"""Learned selection of the specialists that help."""

import torch
from torch import Tensor, nn


class Selection(nn.Module):
    """Gates that learn which specialists help. (first version; interface is final)"""

    def __init__(
        self, count: int, keep: int, mode: str = "topk", scale_features: bool = False
    ) -> None:
        super().__init__()
        self.count, self.keep, self.mode = count, keep, mode
        self.scale = nn.Parameter(torch.ones(count)) if scale_features else None
        self.register_buffer("importance", torch.zeros(count))
        self.register_buffer("active", torch.ones(count, dtype=torch.bool))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    @property
    def selected(self) -> list[int]:
        order = self.importance.masked_fill(~self.active, -torch.inf)
        return sorted(order.argsort(descending=True, stable=True)[: self.keep].tolist())

    def forward(self) -> Tensor:
        if self.training:
            gates = self.active.to(self.importance.dtype)
            if torch.is_grad_enabled():
                gates.requires_grad_()
                gates.register_hook(self._observe)
        else:
            gates = torch.zeros_like(self.importance)
            gates[self.selected] = 1
        return gates if self.scale is None else gates * self.scale

    @torch.no_grad()
    def _observe(self, grad: Tensor) -> None:
        self.importance -= grad / grad.norm().clamp_min(1e-30)
        self.seen += 1
        if self.seen == 50:
            keep = self.selected
            self.active.zero_()
            self.active[keep] = True
