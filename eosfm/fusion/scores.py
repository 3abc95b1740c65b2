"""The published selection: one score per specialist, trained as any other weight.

As published, choosing the top scores has no gradient: unless scores also scale the features, they
never change, and the first specialists are kept. Our own selection, which learns from leaving
specialists out, is :mod:`eosfm.fusion.selection`.
"""

import torch
from torch import Tensor, nn


class Scores(nn.Module):
    """Gates from scores, which begin at one.

    ``topk``: one for the ``keep`` highest, zero for the others. ``smooth``: the sigmoid of each,
    whatever ``keep`` is. With ``scale_features`` the score itself instead of one or the sigmoid.

    Args:
        count: Number of specialists.
        keep: How many ``topk`` keeps.
        mode: ``topk`` or ``smooth``.
        scale_features: Whether scores scale the features.
    """

    settled = False  # all specialists are run to the end

    def __init__(self, count: int, keep: int, mode: str, scale_features: bool) -> None:
        super().__init__()
        self.keep, self.mode, self.scale_features = keep, mode, scale_features
        self.scores = nn.Parameter(torch.ones(count))

    @property
    def selected(self) -> list[int]:
        """Indices of the specialists whose gates are not zero, ascending."""
        if self.mode == "smooth":
            return list(range(len(self.scores)))
        return sorted(self._best().tolist())

    def forward(self) -> Tensor:
        """Gates (count,) to multiply onto each specialist's features."""
        if self.mode == "smooth":
            return self.scores if self.scale_features else self.scores.sigmoid()
        kept = self._best()
        gates = self.scores[kept] if self.scale_features else torch.ones_like(self.scores[kept])
        return torch.zeros_like(self.scores).scatter(0, kept, gates)

    def _best(self) -> Tensor:
        """Indices (keep,) of the highest scores; of equal ones the first, on any device."""
        return self.scores.argsort(descending=True, stable=True)[: self.keep]
