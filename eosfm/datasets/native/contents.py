"""What lies below a dataset's folder, by content: cheap to ask again, and never out of date.

A file is read once. Its SHA-256 is remembered beside what the file system says of it (size, times,
inode), in a cache that Git and DVC do not see; a file is read again when any of these differs. The
time of change (ctime) is among them: no program can set it, so a file rewritten under its old size
and date is noticed as well.
"""

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic

CACHE = Path(".cache/roots")
"""Where a project remembers the hashes of files outside of it."""

THREADS = 8
BATCH = 10_000
"""Files handed to the threads at once: datasets of millions of files exist."""
CLOCK_TICK = 2.0
"""Seconds within which a file system may give two changes the same time."""


class Stamp(NamedTuple):
    """What the file system says of a file: bytes, times in nanoseconds, inode."""

    size: int
    mtime: int
    ctime: int
    inode: int


class Entry(NamedTuple):
    """One file: its path below the root with forward slashes, its bytes, its SHA-256."""

    path: str
    bytes: int
    sha256: str


def list_files(root: Path, cache: Path | None) -> tuple[Entry, ...]:
    """All files below ``root`` (see :func:`list_names`) with their hashes.

    One ``stat`` per file, and one reading of those that look new.

    Args:
        root: A folder.
        cache: Folder that remembers hashes from call to call; None reads every file.

    Raises:
        EosfmError: A link leads nowhere, or a file cannot be read.
    """
    return hash_files(root, list_names(root), cache)


def list_names(root: Path) -> list[str]:
    """Paths of all files below ``root``, relative to it, sorted.

    Links are followed, but never back to a folder that is being listed; hidden files and folders
    are left out.

    Raises:
        EosfmError: A folder cannot be read.
    """
    try:
        return sorted(_walk(root))
    except OSError as error:
        raise _unreadable(error.filename, error) from None


def hash_files(root: Path, names: Iterable[str], cache: Path | None) -> tuple[Entry, ...]:
    """Entries of the files ``names`` below ``root``, in this order; see :func:`list_files`."""
    memory = cache / f"{_key(root)}.jsonl" if cache is not None else None
    known = _recall(memory) if memory is not None else {}
    stamps = {name: _stamp(f"{root}/{name}") for name in names}  # no Path: a third of the time
    fresh = {
        name: stamp
        for name, stamp in stamps.items()
        if name not in known or known[name][0] != stamp
    }
    if memory is not None:
        _settle(fresh.values())
    try:
        for (name, stamp), digest in zip(fresh.items(), _read(root, fresh), strict=True):
            known[name] = (stamp, digest)
    finally:  # hours of reading are not lost when somebody stops it
        if memory is not None and fresh:
            _remember(memory, known)
    return tuple(Entry(name, stamp.size, known[name][1]) for name, stamp in stamps.items())


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


def _walk(root: Path) -> Iterator[str]:
    def visit(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in above:  # a link that leads back
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                # A link may lead nowhere or to itself: os.path says no where an entry raises.
                if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
                    yield from visit(entry.path, f"{prefix}{entry.name}/", above | {identity})
                else:
                    yield prefix + entry.name

    yield from visit(os.fspath(root), "", frozenset())


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


def _read(root: Path, stamps: Mapping[str, Stamp]) -> Iterator[str]:
    """SHA-256 of each file, several at a time."""
    total = sum(stamp.size for stamp in stamps.values())
    bar = tqdm(desc="sha256", total=total, unit="B", unit_scale=True, leave=False, disable=None)
    names = list(stamps)
    with bar, ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            hashes = pool.map(hash_file, (root / name for name in batch))
            for name, digest in zip(batch, hashes, strict=True):
                bar.update(stamps[name].size)
                yield digest


def _unreadable(path: Path | str, error: OSError) -> EosfmError:
    return EosfmError(f"{path} cannot be read ({error.strerror}); mend or remove it")


def _key(root: Path) -> str:
    return hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]


def _recall(memory: Path) -> dict[str, tuple[Stamp, str]]:
    """What the cache remembers; nothing where it is missing or damaged."""
    known: dict[str, tuple[Stamp, str]] = {}
    try:
        with memory.open() as lines:
            for line in lines:
                name, stamp, digest = json.loads(line)
                known[name] = (Stamp(*stamp), digest)
    except (FileNotFoundError, ValueError, TypeError):
        return {}  # it is a cache: its loss costs time alone
    return known


def _remember(memory: Path, known: Mapping[str, tuple[Stamp, str]]) -> None:
    with atomic(memory) as beside, beside.open("w") as file:
        for name, (stamp, digest) in known.items():
            file.write(json.dumps([name, stamp, digest]) + "\n")
