"""k nearest neighbours on frozen features: a score without any training."""

import torch
from torch import Tensor
from torch.nn import functional as F

from eosfm.evaluation.examine import Examined, Tally
from eosfm.evaluation.trial import Trial
from eosfm.features.frozen import FrozenFeatures, chunks
from eosfm.features.source import Request
from eosfm.heads.linear_model import deviation
from eosfm.heads.temporal import mean_date, seen_dates

NEIGHBOURS = 20
TEMPERATURE = 0.07
"""Both as in DINO (Caron et al., 2021, arXiv 2104.14294)."""
CHUNK = 64
"""Tiles that are read at once."""
QUERIES = 1024
"""Queries compared with all references at a time, which bounds the memory."""


def score_knn(train: FrozenFeatures, split: FrozenFeatures, trial: Trial) -> Examined:
    """The k-NN answers' scores on one split.

    A tile's feature is the average over pixels and dates of all levels of all pyramids, each
    channel standardised over the training tiles.
    """
    reference, targets = pooled(train)
    mean, std = reference.mean(0), deviation(reference)
    query, truth = pooled(split)
    logits = vote(
        (reference - mean) / std,
        targets,
        (query - mean) / std,
        len(trial.task.classes),
        trial.task.ignore_index,
    )
    tally = Tally(trial)
    tally.update(logits, truth)
    return tally.examined()


def vote(
    reference: Tensor, targets: Tensor, query: Tensor, classes: int, ignore_index: int
) -> Tensor:
    """Logits of the weighted vote of each query's nearest neighbours by cosine.

    Each of the ``NEIGHBOURS`` (or as many as there are) votes with ``exp(cosine / TEMPERATURE)``
    on what is known of it.

    Args:
        reference: (N, C) features with labels.
        targets: (N,) classes, which exclude each other, or (N, K) labels, which do not.
        query: (M, C) features.
        classes: K.
        ignore_index: Target that does not vote.

    Returns:
        (M, K): logarithm of each class's share, or log-odds of each label's.
    """
    exclusive = targets.ndim == 1
    known = (targets != ignore_index).view(len(targets), -1)
    some = known.any(1)
    reference, targets, known = reference[some], targets[some], known[some]
    votes = F.one_hot(targets.long(), classes) if exclusive else (targets == 1) & known
    reference, shares = F.normalize(reference, dim=1), []
    for some in F.normalize(query, dim=1).split(QUERIES):
        near, who = (some @ reference.T).topk(min(NEIGHBOURS, len(reference)), dim=1)
        weight = (near / TEMPERATURE).softmax(dim=1)
        having, of = ((weight[:, :, None] * one.float()[who]).sum(1) for one in (votes, known))
        shares.append((having / of.clamp_min(1e-6)).clamp(1e-6, 1 - 1e-6))
    share = torch.cat(shares)
    return share.log() if exclusive else share.logit()


def pooled(split: FrozenFeatures) -> tuple[Tensor, Tensor]:
    """Averages over pixels and dates, all levels side by side: (N, C) float32; and targets."""
    features, targets = [], []
    for (levels, days), target in split.batches(map(Request, chunks(len(split), CHUNK))):
        seen = seen_dates(days.to(levels[0].device))
        means = [mean_date(level.float(), seen).mean(dim=(-2, -1)) for level in levels]
        features.append(torch.cat(means, dim=1).cpu())
        targets.append(target.cpu())
    return torch.cat(features), torch.cat(targets)
