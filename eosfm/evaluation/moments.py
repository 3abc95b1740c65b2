"""Ridge regression with a constant, from samples that come some at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

PENALTIES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Ridge penalties; 1 is a sample's mean square."""


class Moments:
    """What ridge regression needs of its samples: sums, or where these are few, themselves."""

    def __init__(self, features: int, targets: int, dual: bool) -> None:
        size = 0 if dual else features
        self.dual, self.count = dual, 0
        self.rows: list[tuple[Tensor, Tensor]] = []
        self.x = torch.zeros(features, dtype=torch.float64)
        self.y = torch.zeros(targets, dtype=torch.float64)
        self.gram = torch.zeros(size, size, dtype=torch.float64)
        self.cross = torch.zeros(size, targets, dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor) -> None:
        """Count some samples: (B, C) features and (B, K) targets, float64."""
        self.count += len(x)
        self.x += x.sum(0)
        self.y += y.sum(0)
        if self.dual:
            self.rows.append((x, y))
        else:
            self.gram += x.T @ x
            self.cross += x.T @ y

    def solve(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(C, K) weights and (K,) bias for each of :data:`PENALTIES`."""
        mean, level = self.x / self.count, self.y / self.count
        if self.dual:
            rows, truth = (torch.cat(parts) for parts in zip(*self.rows, strict=True))
            rows, right = rows - mean, truth - level
            gram = rows @ rows.T
        else:
            gram = self.gram - self.count * torch.outer(mean, mean)
            right = self.cross - self.count * torch.outer(mean, level)
        unit = (gram.trace() / self.count).clamp_min(1e-12)  # of features that never vary
        for penalty in PENALTIES:
            shifted = gram + penalty * unit * torch.eye(len(gram), dtype=gram.dtype)
            weights = torch.cholesky_solve(right, torch.linalg.cholesky(shifted))
            weights = rows.T @ weights if self.dual else weights
            yield weights, level - mean @ weights
