"""Peak memory of a stage on a machine with a GPU, from what it holds at the same time.

Memory-mapped files are not counted: the operating system can drop their pages at any time.
"""

from math import prod

from eosfm.planning.stores import PlannedStore
from eosfm.planning.work import GB
from eosfm.tiles.tiling import WORKERS, window_rows

READER_GB = 0.4
"""A process that reads native files and writes tiles."""

TORCH_GB = 4.0
"""A process with torch, Lightning and the host's part of CUDA."""

LOADER_GB = 0.5
"""Memory of a loader process that is not shared with its parent."""

PREFETCH = 2
"""Batches that each loader reads ahead: torch's own number."""

IN_HAND = 3
"""Batches outside the loaders: being joined, pinned and used."""

STRIPS = WORKERS + 3
"""Strips of scenes at a time in cutting on many cores: one in every reader's hands, one that came,
the same joined to the rest of the one before, and that one."""


def tile_gb(store: PlannedStore) -> float:
    """Cutting a dataset: some strips of scenes, in the type that holds all bands."""
    height, width = store.scene_size
    row = store.read_bytes // prod(store.shape[2:]) * width
    rows = min(height, window_rows(height, row, whole=store.tile is None))
    return READER_GB + STRIPS * rows * row / GB


def loading_gb(workers: int, batch_bytes: float) -> float:
    """A process that learns from batches, and its loaders."""
    waiting = workers * PREFETCH + IN_HAND
    return TORCH_GB + workers * LOADER_GB + waiting * batch_bytes / GB
