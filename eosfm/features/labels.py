"""Which training tiles carry labels when labels are scarce: a stratified share of them."""

import numpy as np

from eosfm.core.splits import Split
from eosfm.kinds import get_kind
from eosfm.tiles.store import TileStore


def labelled_subset(store: TileStore, split: Split, fraction: float, seed: int) -> np.ndarray:
    """Indices of the tiles that are used, in ascending order.

    Each stratum of the kind (see :meth:`eosfm.kinds.kind.Kind.strata`) keeps its share, and at
    least one tile; the stratification of PANGAEA (arXiv 2412.04204) serves the same purpose.

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
    """Indices of a share of every group, at least one of each, in ascending order."""
    rng = np.random.default_rng(seed)
    kept = []
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        kept.append(members[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(kept))


def strata(store: TileStore, split: Split) -> np.ndarray:
    """The stratum of each tile of a split, a whole number each."""
    return get_kind(store.kind).strata(store.split(split).targets, len(store.classes))
