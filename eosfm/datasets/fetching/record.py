"""Records of the files unpacked from an archive, which show that it need not be fetched again.

``.fetched/<file>.gz`` in a dataset's folder holds a line with the archive's URL and checksum, then
one per file.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from eosfm.core.files import atomic
from eosfm.datasets.native.contents import Entry, hash_files

FOLDER = ".fetched"


@dataclass(frozen=True)
class Record:
    """What an archive left below ``root``, written down there.

    Attributes:
        root: The dataset's folder.
        name: The archive's.
        source: Where it came from; a record of another source does not count.
        cache: Folder that remembers hashes.
    """

    root: Path
    name: str
    source: str
    cache: Path | None

    @property
    def path(self) -> Path:
        """Where it is written."""
        return self.root / FOLDER / f"{self.name.replace('/', '__')}.gz"

    def write(self, left: Iterable[str], checksum: str) -> None:
        """Write the record of an archive's files, given sorted, once their bytes are on disk."""
        with atomic(self.path) as beside, gzip.open(beside, "wt") as file:
            for row in chain(
                [f"{self.source} {checksum}"], hash_files(self.root, left, self.cache)
            ):
                file.write(json.dumps(row) + "\n")
            os.sync()  # once, not for each of a million files

    def found(self) -> str | None:
        """The archive's checksum if it was fetched and its files are unchanged; else None."""
        try:
            with gzip.open(self.path, "rt") as file:
                source, _, checksum = json.loads(file.readline()).rpartition(" ")
            there = all(os.path.isfile(f"{self.root}/{entry.path}") for entry in self._entries())
        except (OSError, EOFError, ValueError, TypeError, AttributeError, zlib.error):
            return None  # there is none, or it is damaged: the archive is fetched again
        if source != self.source or not there:
            return None
        now = hash_files(self.root, (entry.path for entry in self._entries()), self.cache)
        same = all(entry == then for entry, then in zip(now, self._entries(), strict=True))
        return checksum if same else None

    def _entries(self) -> Iterator[Entry]:
        with gzip.open(self.path, "rt") as file:
            file.readline()
            for line in file:
                yield Entry(*json.loads(line))
