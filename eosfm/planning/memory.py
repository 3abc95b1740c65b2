"""Most memory that a stage needs on a machine with a GPU, from what it keeps at a time.

What is read by memory map is the operating system's to keep or to drop, and is not counted.
"""

from math import prod

from eosfm.planning.stores import PlannedStore
from eosfm.planning.work import GB

READER_GB = 0.4
"""A process that reads native files and writes tiles."""

TORCH_GB = 4.0
"""A process with torch, Lightning and the host's part of CUDA."""

LOADER_GB = 0.5
"""What a loader process does not share with the one that started it."""

PREFETCH = 2
"""Batches that each loader reads ahead: torch's own number."""

IN_HAND = 3
"""Batches outside the loaders: being joined, pinned and used."""

STRIP_THREADS = 6
"""Strips of a scene at a time in cutting: four being read, one waiting, one being cut."""


def tile_gb(store: PlannedStore) -> float:
    """Cutting a dataset: some strips of scenes, in the type that holds all bands."""
    from eosfm.tiles.tiling import WINDOW_BYTES, WINDOW_ROWS

    height, width = store.scene_size
    row = store.read_bytes // prod(store.shape[2:]) * width
    rows = height
    if store.tile and height * row > WINDOW_BYTES:
        rows = min(height, max(1, WINDOW_BYTES // (WINDOW_ROWS * row)) * WINDOW_ROWS)
    return READER_GB + STRIP_THREADS * rows * row / GB


def loading_gb(workers: int, batch_bytes: float) -> float:
    """A process that learns from batches, and its loaders."""
    waiting = workers * PREFETCH + IN_HAND
    return TORCH_GB + workers * LOADER_GB + waiting * batch_bytes / GB
