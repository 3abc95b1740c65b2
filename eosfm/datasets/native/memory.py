"""Cached hashes of the files below a root, merged with a sorted listing and rewritten.

One line per file, sorted by name, in a cache that Git and DVC do not see. Neither the lines nor
the list of names is ever in memory as a whole: datasets of millions of files exist.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

from eosfm.core.files import atomic


class Stamp(NamedTuple):
    """What the file system says of a file: bytes, times in nanoseconds, inode."""

    size: int
    mtime: int
    ctime: int
    inode: int


class Row(NamedTuple):
    """A file that is listed, remembered, or both.

    Attributes:
        name: Its path below the root.
        stamp: What the file system said of it when it was read; None if it is not remembered.
        digest: Its SHA-256.
        line: The row as a line of the cache.
        listed: Whether it is in the list.
    """

    name: str
    stamp: Stamp | None = None
    digest: str = ""
    line: bytes = b""
    listed: bool = True


def read_row(name: str, stamp: Stamp, digest: str) -> Row:
    """The row of a listed file that has been read."""
    line = json.dumps([name, stamp, digest]).encode() + b"\n"
    return Row(name, stamp, digest, line)


class Memory:
    """The cache of one root; read once, and written anew if anything has changed.

    Args:
        path: The file; None remembers nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._open = ExitStack()
        self._old = self._open_old()
        self._rows = _recall(self._old) if self._old else iter(())
        self._next = next(self._rows, None)
        self._passed = 0  # bytes of the old file's rows that went by as they were
        self._new: IO[bytes] | None = None

    def beside(self, names: Iterable[str]) -> Iterator[Row]:
        """Merge sorted names with the cache: a row per name, and per cached file before it."""
        for name in names:
            while self._next and self._next.name < name:
                yield self._pop()
            if self._next and self._next.name == name:
                yield self._pop()._replace(listed=True)
            else:
                yield Row(name)

    def keep(self, rows: Sequence[Row], changed: bool) -> None:
        """Remember rows, in the order in which they came; those without a line are forgotten.

        Args:
            rows: The next ones.
            changed: Whether any differs from what the cache holds.
        """
        if self._path is None:
            return
        if self._new is None and not changed:
            self._passed += sum(len(row.line) for row in rows)
            return
        if self._new is None:
            self._new = self._open_new(self._path)
        self._new.writelines(row.line for row in rows)

    def close(self) -> None:
        """Put the new file in the place of the old one, with what followed the last name."""
        with self._open:
            while self._new and self._next:
                self._new.write(self._pop().line)

    def _pop(self) -> Row:
        row, self._next = self._next, next(self._rows, None)
        assert row is not None
        return row

    def _open_old(self) -> IO[bytes] | None:
        try:
            return self._open.enter_context(self._path.open("rb")) if self._path else None
        except FileNotFoundError:
            return None

    def _open_new(self, path: Path) -> IO[bytes]:
        new = self._open.enter_context(self._open.enter_context(atomic(path)).open("wb"))
        if self._old:
            here = self._old.tell()
            self._old.seek(0)
            while self._passed:
                block = self._old.read(min(self._passed, 1 << 20))
                new.write(block)
                self._passed -= len(block)
            self._old.seek(here)
        return new


def _recall(file: IO[bytes]) -> Iterator[Row]:
    """Rows of a cache up to any damage; losing the rest only costs time."""
    last = ""
    while line := file.readline():
        try:
            name, stamp, digest = json.loads(line)
            row = Row(name, Stamp(*map(int, stamp)), digest, line, listed=False)
            if not last < name or not line.endswith(b"\n"):
                return
        except (ValueError, TypeError):
            return
        yield row
        last = name
