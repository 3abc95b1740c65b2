"""The shards of a store, mapped when they are read, a bounded number at a time.

A mapping holds a file descriptor as long as it lives (Python duplicates the one it is made of), and
of these a process may have about a thousand, where a store can have thousands of shards.
"""

import errno
import mmap
import resource
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from pathlib import Path
from weakref import ReferenceType, ref

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.mapped import release
from eosfm.tiles.layout import shard_header

DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
MAPPED = 256 if DESCRIPTORS == resource.RLIM_INFINITY else min(256, DESCRIPTORS // 4)
"""Shards that a process keeps mapped, of all stores together; the last ones read. The others cost
about 60 microseconds to map again."""


READ_BYTES = 64 * 2**20
"""Bytes that are read before their pages are released. Until then these count as the process's
memory, which would grow to the size of the dataset."""


@dataclass(frozen=True, eq=False)
class Shard:
    """One file of a store: an array (N, ...), checked when the store is opened and when mapped.

    Attributes:
        path: The file.
        dtype: Type of its values.
        shape: Shape of its array.
        remedy: What the user can do where it is missing or damaged.
    """

    path: Path
    dtype: np.dtype
    shape: tuple[int, ...]
    remedy: str

    @cached_property
    def header(self) -> bytes:
        """What the file begins with."""
        return shard_header(self.dtype, self.shape)

    def check(self) -> None:
        """Raise an :class:`EosfmError` unless the file is there and of the right size."""
        size = len(self.header) + self.dtype.itemsize * prod(self.shape)
        check_size(self.path, size, f", for {self.dtype} {self.shape}", self.remedy)

    def array(self) -> np.ndarray:
        """The array, a read-only view of the mapped file.

        Views of it keep the file mapped, also when others have been mapped since.

        Raises:
            EosfmError: The file cannot be opened, or holds another array.
        """
        mapped = _map(self)
        _READ.note(mapped)
        return mapped


class _Read:
    """Arrays read since pages were last released; weakly held, as unmapped ones need no release."""

    def __init__(self) -> None:
        self.bytes = 0
        self.arrays: dict[int, ReferenceType[np.ndarray]] = {}

    def note(self, array: np.ndarray) -> None:
        """Count one row as read: callers of :meth:`Shard.array` read one."""
        self.arrays[id(array)] = ref(array)
        self.bytes += array.strides[0]
        if self.bytes > READ_BYTES:
            touched, self.arrays, self.bytes = self.arrays, {}, 0
            # A list, since another thread may have been about to add to the dictionary.
            for reference in list(touched.values()):
                if (mapped := reference()) is not None:
                    release(mapped)


_READ = _Read()


def check_size(path: Path, expected: int | None, why: str, remedy: str) -> None:
    """Make sure that a file of a store is there and of the right size; it is not opened.

    Args:
        path: The file.
        expected: Its bytes; None where the store does not tell.
        why: Where the number is from, for the error.
        remedy: What the user can do.

    Raises:
        EosfmError: It is not.
    """
    if not path.exists():
        raise EosfmError(f"{path} not found; expected by store.json; {remedy}")
    if (found := path.stat().st_size) != expected:
        raise EosfmError(
            f"{path} is truncated or damaged: {found} bytes; expected {expected}{why}; {remedy}"
        )


def crc32_of(path: Path, start: int) -> int:
    """CRC-32 of a file's content from a position on.

    Raises:
        EosfmError: It cannot be read.
    """
    found = 0
    try:
        with path.open("rb") as file:
            file.seek(start)
            while part := file.read(2**22):
                found = zlib.crc32(part, found)
    except OSError as error:
        raise EosfmError(f"{path} cannot be read ({error.strerror}); mend the disk") from None
    return found


@lru_cache(MAPPED)
def _map(shard: Shard) -> np.ndarray:
    try:
        with shard.path.open("rb") as file:
            found = file.read(len(shard.header))
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise
        raise EosfmError(
            f"{shard.path} cannot be opened ({error.strerror}); expected at most {MAPPED} shards "
            f"open at a time; {_advice(error, shard.remedy)}"
        ) from None
    if found != shard.header:
        raise EosfmError(
            f"{shard.path} is damaged: another header than that of {shard.dtype} {shard.shape}; "
            f"{shard.remedy}"
        )
    return np.frombuffer(mapped, shard.dtype, offset=len(found)).reshape(shard.shape)


def _advice(error: OSError, remedy: str) -> str:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "allow this process more open files (`ulimit -n 1024`), or use fewer loader workers"
    return remedy if error.errno == errno.ENOENT else "make the file readable"
