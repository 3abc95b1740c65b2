"""Memory-mapped arrays that cost no memory beyond what is being read."""

import mmap
import os
import tokenize
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np

DAMAGED = (
    OSError, ValueError, EOFError, LookupError, RuntimeError, SyntaxError, tokenize.TokenError,
    zlib.error, zipfile.BadZipFile,
)  # fmt: skip
"""What numpy raises of ``.npy`` and ``.npz`` files that are damaged."""


def reserve(file: BinaryIO, size: int) -> None:
    """Allocate ``size`` bytes on disk for a mapped file before anything is written to it.

    Writing a mapped page on a full disk would kill the process by SIGBUS, without a message.

    Raises:
        OSError: There is no room.
    """
    if hasattr(os, "posix_fallocate"):  # macOS has none
        os.posix_fallocate(file.fileno(), 0, size)


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
