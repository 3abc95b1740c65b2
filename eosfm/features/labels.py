"""Which training tiles carry labels when labels are scarce: a stratified share of them."""

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from eosfm.core.splits import Split
from eosfm.kinds import get_kind
from eosfm.tiles.store import TileStore

ROUNDING: dict[str, Callable[[float], int]] = {"rarest": round, "thirds": math.floor}
"""How a fractional number of tiles per stratum is rounded, by kind of strata."""


def labelled_subset(
    store: TileStore, split: Split, fraction: float, seed: int, by: str
) -> np.ndarray:
    """Indices of the tiles that are used, in ascending order.

    Each stratum keeps its share, and at least one tile.

    Args:
        store: The task's tiles.
        split: Which split; validation and test are taken whole by passing a fraction of 1.
        fraction: Share of the tiles, above 0 and at most 1.
        seed: Decides which tiles of a stratum are kept.
        by: What the strata are, ``rarest`` or ``thirds`` (see :func:`strata`).
    """
    count = len(store.split(split))
    if fraction == 1.0:
        return np.arange(count)
    return stratified_share(strata(store, split, by), fraction, seed, by)


def stratified_share(groups: np.ndarray, fraction: float, seed: int, by: str) -> np.ndarray:
    """Indices of a share of every group, at least one of each, in ascending order."""
    whole = ROUNDING[by]
    rng = np.random.default_rng(seed)
    kept = []
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        kept.append(members[: max(1, whole(fraction * len(members)))])
    return np.sort(np.concatenate(kept))


def strata(store: TileStore, split: Split, by: str) -> np.ndarray:
    """The stratum of each tile of a split, a whole number each.

    ``rarest``: :meth:`eosfm.kinds.kind.Kind.strata`; ``thirds``, as PANGAEA (arXiv 2412.04204) has
    them: :meth:`eosfm.kinds.kind.Kind.thirds`.
    """
    kind, targets = get_kind(store.kind), store.split(split).targets
    if by == "thirds":
        return kind.thirds(targets, len(store.classes), store.ignore_index)
    return kind.strata(targets, len(store.classes), store.ignore_index)


def repeated(targets: Iterable[np.ndarray], repeat: Mapping[int, int]) -> np.ndarray:
    """How often an epoch sees each tile, (N,): the largest ``repeat`` of its classes.

    Args:
        targets: The target of each tile.
        repeat: By class index, how often a tile that shows the class is seen; 1 if not given.
    """
    return np.array(
        [
            max((repeat.get(k, 1) for k in np.unique(target).tolist()), default=1)
            for target in targets
        ]
    )
