"""The C library's allocator, told to keep what is freed for what is asked for next."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENAS = -1, -3, -8
"""Numbers of glibc's ``mallopt`` (malloc.h)."""


def keep_freed_memory() -> None:
    """Hand freed memory back to the system above half a gigabyte alone.

    Models make and drop the same tensors again and again. As glibc is set up, each of some
    megabytes is a mapping of its own, of which every page is taken and zeroed anew: a quarter of
    the time of encoding on the CPU (``benchmarks/README.md``). Larger than 32 MiB, the most that
    glibc allows, they stay so. Each thread would keep what it freed for itself, and those of
    fits side by side come and go: two arenas serve all. Other C libraries are left alone; no
    result depends on it.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, 32 << 20)
        mallopt(TRIM_THRESHOLD, 512 << 20)
        mallopt(ARENAS, 2)
