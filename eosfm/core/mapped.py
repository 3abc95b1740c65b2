"""Memory-mapped arrays that cost no memory beyond what is being read."""

import mmap
from typing import Any

import numpy as np


def release(array: np.ndarray) -> None:
    """Let go of the pages of a mapped array; nothing happens to one in memory.

    They stay in the system's cache, and come back when they are touched. But as long as they are
    mapped they count as the process's memory, which would grow to the size of the dataset.
    """
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):  # of an array made by numpy.frombuffer
        owner = owner.obj
    if isinstance(owner, mmap.mmap):
        owner.madvise(mmap.MADV_DONTNEED)
