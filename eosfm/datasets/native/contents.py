"""What lies below a dataset's folder, by content: cheap to ask again, and never out of date.

A file is read once. Its SHA-256 is remembered beside what the file system says of it (size, times,
inode), in a cache that Git and DVC do not see; a file is read again when any of these differs. The
time of change (ctime) is among them: no program can set it, so a file rewritten under its old size
and date is noticed as well.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.memory import Memory, Stamp, read_row

CACHE = Path(".cache/roots")
"""Where a project remembers the hashes of files outside of it."""

THREADS = 8
BATCH = 10_000
"""Files handed to the threads, and in memory, at once: datasets of millions of files exist."""
CLOCK_TICK = 2.0
"""Seconds within which a file system may give two changes the same time."""


class Entry(NamedTuple):
    """One file: its path below the root with forward slashes, its bytes, its SHA-256."""

    path: str
    bytes: int
    sha256: str


def list_files(root: Path, cache: Path | None) -> Iterator[Entry]:
    """All files below ``root`` with their hashes, sorted by path.

    One ``stat`` per file, and one reading of those that look new. Hidden files are left out. Memory
    does not grow with the number of files.

    Args:
        root: A folder.
        cache: Folder that remembers hashes from call to call; None reads every file.

    Raises:
        EosfmError: A link leads nowhere, or a file cannot be read.
    """
    total = None
    if cache is None or not _place(root, cache).exists():  # all are read: say how long it takes
        total = sum(_stamp(f"{root}/{name}").size for name in list_names(root))
    return hash_files(root, list_names(root), cache, total)


def list_names(root: Path, hidden: bool = False) -> Iterator[str]:
    """Paths of all files below ``root``, relative to it, sorted; a folder in memory at a time.

    Links are followed, but never back to a folder that is being listed.

    Args:
        root: A folder.
        hidden: Whether files and folders whose names begin with a dot are listed too.

    Raises:
        EosfmError: A folder cannot be read.
    """
    try:
        yield from _walk(os.fspath(root), "", frozenset(), hidden)
    except OSError as error:
        raise _unreadable(error.filename, error) from None


def hash_files(
    root: Path, names: Iterable[str], cache: Path | None, total: int | None = None
) -> Iterator[Entry]:
    """Entries of some of the files below ``root``; see :func:`list_files`.

    Args:
        root: A folder.
        names: Their paths below it, sorted.
        cache: Folder that remembers hashes from call to call; None reads every file.
        total: Bytes of all these files, for the progress bar, if they are known.

    Raises:
        EosfmError: A file cannot be read.
    """
    bar = tqdm(desc="sha256", total=total, unit="B", unit_scale=True, leave=False, disable=None)
    memory = Memory(_place(root, cache) if cache is not None else None)
    with closing(memory), bar, ThreadPoolExecutor(THREADS) as pool:
        rows = memory.beside(names)
        while batch := list(islice(rows, BATCH)):
            fresh = {}
            for place, row in enumerate(batch):
                if row.listed and (stamp := _stamp(f"{root}/{row.name}")) != row.stamp:
                    fresh[place] = stamp
            if cache is not None:
                _settle(fresh.values())
            try:
                digests = pool.map(hash_file, (root / batch[place].name for place in fresh))
                for (place, stamp), digest in zip(fresh.items(), digests, strict=True):
                    batch[place] = read_row(batch[place].name, stamp, digest)
                    bar.update(stamp.size)
            finally:  # hours of reading are not lost when somebody stops it
                memory.keep(batch, changed=bool(fresh))
            for row in batch:
                if row.listed and row.stamp:
                    yield Entry(row.name, row.stamp.size, row.digest)


def hash_file(path: Path, kind: str = "sha256", progress: bool = False) -> str:
    """The hash of a file in hexadecimal, read once in large blocks.

    Raises:
        EosfmError: It cannot be read.
    """
    digest = hashlib.new(kind)
    try:
        bar = tqdm(
            desc=f"{kind} of {path.name}", total=path.stat().st_size, unit="B", unit_scale=True,
            leave=False, disable=None if progress else True,
        )  # fmt: skip
        with bar, path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                bar.update(len(chunk))
    except OSError as error:
        raise _unreadable(path, error) from None
    return digest.hexdigest()


def _walk(
    folder: str, prefix: str, above: frozenset[tuple[int, int]], hidden: bool
) -> Iterator[str]:
    status = os.stat(folder)
    identity = (status.st_dev, status.st_ino)
    if identity in above:  # a link that leads back
        return
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if hidden or not entry.name.startswith("."):
                # A link may lead nowhere or to itself: os.path says no where an entry raises.
                deeper = os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()
                found.append(f"{entry.name}/" if deeper else entry.name)
    for name in sorted(found):  # with its slash, as in the paths of what it holds
        if name.endswith("/"):
            yield from _walk(f"{folder}/{name[:-1]}", prefix + name, above | {identity}, hidden)
        else:
            yield prefix + name


def _stamp(path: str) -> Stamp:
    try:
        status = os.stat(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(status.st_mode):  # of a pipe or a device, reading might never end
        raise EosfmError(f"{path} cannot be read (a pipe, socket or device); remove it")
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _settle(stamps: Iterable[Stamp]) -> None:
    """Wait until a further change of these files would get another time than their last one."""
    last = max((stamp.ctime for stamp in stamps), default=0)
    if time.time() - last / 1e9 < CLOCK_TICK:
        time.sleep(CLOCK_TICK)


def _unreadable(path: Path | str, error: OSError) -> EosfmError:
    return EosfmError(f"{path} cannot be read ({error.strerror}); mend or remove it")


def _place(root: Path, cache: Path) -> Path:
    """Where what is remembered of a root's files is kept."""
    return cache / f"{hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]}.jsonl"
