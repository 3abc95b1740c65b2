"""What a member of an archive may be called, and how much all of them may take."""

import os
import unicodedata
from pathlib import Path, PurePosixPath

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.record import FOLDER

RATIO = 200
"""Bytes that one byte of an archive may unpack to; label maps of one class reach some 50."""
FLOOR = 1_000_000_000
"""Bytes that any archive may unpack to."""
BLOCK = 4096
"""Bytes of disk that even an empty file is counted to take."""
REMEDY = "delete it to fetch it again"


class BadArchive(EosfmError):
    """The archive itself is at fault, not the disk that it is unpacked to."""


class Members:
    """Watches over the members of one archive as they are unpacked.

    Args:
        archive: The archive.
        folder: Where its members go.
    """

    def __init__(self, archive: Path, folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        self._left = max(RATIO * archive.stat().st_size, FLOOR)

    def admit(self, name: str, size: int, folder: bool) -> None:
        """Check a member before it is written.

        Args:
            name: Its name in the archive.
            size: Its unpacked size in bytes.
            folder: Whether it is a folder.

        Raises:
            BadArchive: It would land outside of the folder, has an invalid name, exists already,
                or makes the archive unpack to far too much.
        """
        if fault := _fault(name):
            raise BadArchive(f"{self._archive}: member {name[:80]!r} {fault}; not unpacked")
        self._left -= size + BLOCK
        if self._left < 0:
            raise BadArchive(
                f"{self._archive} unpacks to more than {RATIO} times its size, which no dataset "
                f"does; not unpacked, {REMEDY}"
            )
        if not folder and os.path.lexists(self._folder / name):
            raise BadArchive(f"{self._archive} holds {name!r} twice; not unpacked, {REMEDY}")


def _fault(name: str) -> str | None:
    """What is wrong with a name, if anything."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        return "would land outside of the folder"
    if not path.parts:
        return "has no name"
    if path.parts[0] == FOLDER:
        return "has a name that is reserved"
    if "\\" in name or any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        return "has a name with characters that no file of a dataset has"
    if len(name.encode()) > 4000 or any(len(part.encode()) > 255 for part in path.parts):
        return "has a name too long for a file"
    return None
