"""What a finished archive left below a dataset's folder: the proof that it need not come again.

``.fetched/<file>.gz`` there holds a line with the archive's address and checksum, then one for each
file that it left.
"""

import gzip
import json
import os
import zlib
from dataclasses import dataclass
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

    def write(self, left: list[Path], checksum: str) -> None:
        """Note which files an archive left; their bytes are on the disk before."""
        names = [path.relative_to(self.root).as_posix() for path in left]
        entries = hash_files(self.root, names, self.cache)
        os.sync()  # once, not for each of a million files
        with atomic(self.path) as beside, gzip.open(beside, "wt") as file:
            for row in (f"{self.source} {checksum}", *entries):
                file.write(json.dumps(row) + "\n")

    def found(self) -> str | None:
        """The checksum of the archive, if it was fetched and all that it left is as it was."""
        try:
            with gzip.open(self.path, "rt") as file:
                identity, *rows = map(json.loads, file)
            source, _, checksum = identity.rpartition(" ")
            left = [Entry(*row) for row in rows]
        except (OSError, EOFError, ValueError, TypeError, AttributeError, zlib.error):
            return None  # there is none, or it is damaged: the archive is fetched again
        if source != self.source or not all((self.root / entry.path).is_file() for entry in left):
            return None
        same = list(hash_files(self.root, [entry.path for entry in left], self.cache)) == left
        return checksum if same else None
