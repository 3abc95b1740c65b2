"""Where a fusion starts: from the directions in which its features tell the labels apart.

A short training of a wide 1x1 convolution spends itself on finding which of a thousand channels
matter, and weak specialists drown strong ones. Ridge regression of the labels on sampled cells
knows that in closed form, level by level. Its solutions become the first output channels of the
convolution; the others start at random as ever, and training goes on from there.
"""

from typing import cast

import torch
from torch import Tensor, nn

from eosfm.evaluation.forward_selection import sample_cells, standardised
from eosfm.evaluation.probe import Probe
from eosfm.evaluation.trial import Trial
from eosfm.features.frozen import FrozenFeatures
from eosfm.fusion.fuser import Fuser

PENALTY = 1e-2
"""Of the ridge regression, over the number of samples, for features of unit variance a pyramid."""


class Directions:
    """Weights and biases of the first output channels of each level's convolution."""

    def __init__(self, weights: list[Tensor], biases: list[Tensor]) -> None:
        self.weights, self.biases = weights, biases

    @torch.no_grad()
    def start(self, probe: Probe) -> Probe:
        """Put them into a fresh probe."""
        for mixer, weight, bias in zip(
            probe.fusing.fuser.mixers, self.weights, self.biases, strict=True
        ):
            conv = cast(nn.Conv2d, mixer)
            conv.weight[: len(weight)] = weight[..., None, None]
            cast(Tensor, conv.bias)[: len(bias)] = bias
        return probe


@torch.no_grad()
def label_directions(fuser: Fuser, train: FrozenFeatures, trial: Trial) -> Directions:
    """Solve the ridge regression of each level.

    Args:
        fuser: ``conv1x1``, whose normalisation counts.
        train: The labelled tiles.
        trial: Decides which cells are sampled.

    Returns:
        Per level up to one output channel per class (or label, or value), of unit variance. Each
        pyramid counts the same, whatever the number of its channels.
    """
    pyramids, truth = sample_cells(train, trial)
    by_level: list[list[Tensor]] = [[] for _ in fuser.mixers]
    for index, (cells, spec) in enumerate(zip(pyramids, fuser.inputs, strict=True)):
        maps = [part[..., None, None] for part in cells.split(list(spec.channels), dim=1)]
        for level, part in zip(by_level, fuser.prepare(index, maps), strict=True):
            level.append(part[..., 0, 0])
    solved = [_solve(parts, truth, fuser.out_channels[k]) for k, parts in enumerate(by_level)]
    return Directions([weight for weight, _ in solved], [bias for _, bias in solved])


def _solve(parts: list[Tensor], truth: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """(K, C) weights and (K,) biases for (N, C) features, side by side, of one level."""
    features = torch.cat(parts, dim=1)
    normal, _ = standardised(features, features)
    share = torch.cat([part.new_full(part.shape[1:], part.shape[1] ** -0.5) for part in parts])
    normal *= share
    # As many equations as samples: the finest level has a thousand channels, the coarsest more.
    gram = normal @ normal.T + PENALTY * len(normal) * torch.eye(len(normal))
    factor = torch.linalg.cholesky(gram)
    weights = normal.T @ torch.cholesky_solve((truth - truth.mean(0))[:, :most], factor)
    spread = (normal @ weights).std(0)
    scale = torch.where(spread > 0, 1 / spread, 0)  # a class that no sample has
    weights = weights * scale * (share / features.std(0).clamp_min(1e-6))[:, None]
    return weights.T, -features.mean(0) @ weights
