"""Which training tiles carry labels when labels are scarce: a stratified share of them."""

import numpy as np

from eosfm.core.splits import Split
from eosfm.tiles.store import TileStore

BINS = 5
"""Quantile bins of a regression target, and the least share below which a class is ignored."""
RARE = 0.01


def labelled_subset(store: TileStore, split: Split, fraction: float, seed: int) -> np.ndarray:
    """Positions of the tiles that are used, in ascending order.

    Each stratum keeps its share, and at least one tile. A tile's stratum is its class
    (classification), the rarest class that covers at least 1 % of it (segmentation, change), the
    rarest of its labels (multilabel), or the quantile bin of its mean (regression); the
    stratification of PANGAEA (arXiv 2412.04204) serves the same purpose.

    Args:
        store: The task's tiles.
        split: Which split; validation and test are taken whole by passing a fraction of 1.
        fraction: Share of the tiles, above 0 and at most 1.
        seed: Decides which tiles of a stratum are kept.
    """
    count = len(store.split(split))
    if fraction == 1.0:
        return np.arange(count)
    return stratified_share(strata(store, split), fraction, seed)


def stratified_share(groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Positions of a share of every group, at least one of each, in ascending order."""
    rng = np.random.default_rng(seed)
    kept = []
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        kept.append(members[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(kept))


def strata(store: TileStore, split: Split) -> np.ndarray:
    """The stratum of each tile of a split, as :func:`labelled_subset` defines it."""
    tiles = store.split(split)
    targets = [np.asarray(tiles.target(i)) for i in range(len(tiles))]
    if store.kind == "classification":
        return np.array(targets).astype(int)
    if store.kind == "regression":
        means = np.array([np.nanmean(t) if np.isfinite(t).any() else 0.0 for t in targets])
        edges = np.quantile(means, np.linspace(0, 1, BINS + 1)[1:-1])
        return np.searchsorted(edges, means)
    if store.kind == "multilabel":
        present = np.array(targets) > 0
    else:
        present = np.array([_covering(t, len(store.classes)) for t in targets])
    # Rank classes by how many tiles show them; a tile belongs to the rarest class it shows.
    frequency = present.sum(axis=0)
    cost = np.where(present, frequency[None, :], np.inf)
    return np.where(present.any(axis=1), cost.argmin(axis=1), -1)


def _covering(target: np.ndarray, classes: int) -> np.ndarray:
    """Classes that cover at least RARE of a tile's pixels, as a boolean vector."""
    inside = target[(target >= 0) & (target < classes)]
    shares = np.bincount(inside.astype(int).ravel(), minlength=classes) / max(target.size, 1)
    return shares >= RARE
