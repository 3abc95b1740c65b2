"""Make glibc's allocator keep freed memory for reuse, until it is asked to return it."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENAS = -1, -3, -8
"""Numbers of glibc's ``mallopt`` (malloc.h)."""


def keep_freed_memory() -> None:
    """Return freed memory to the system only above half a gigabyte.

    Models allocate and free the same tensors again and again. By default glibc maps each tensor of
    some megabytes anew, and the kernel zeroes its pages every time: a quarter of the encoding time
    on the CPU (``benchmarks/README.md``). Tensors above 32 MiB, the most that glibc allows, are
    still mapped. Each thread would keep its freed memory to itself, and threads of parallel fits
    come and go, so all share two arenas. Other C libraries are left alone; results do not change.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, 32 << 20)
        mallopt(TRIM_THRESHOLD, 512 << 20)
        mallopt(ARENAS, 2)


def return_freed_memory() -> None:
    """Return all freed memory to the system, where what comes next needs other amounts."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # musl has none
        trim(0)
