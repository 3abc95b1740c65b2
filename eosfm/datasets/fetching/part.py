"""A partial download on disk: ``<file>.part``, with a note on where its bytes are from.

The note, ``<file>.part.json``, holds the URL and the server's version of the file. It goes when the
file has its final name: a file that still has a note was downloaded, and not put there by hand.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from eosfm.core.files import atomic, flush


@dataclass(frozen=True)
class Part:
    """The bytes of one file received so far.

    Attributes:
        target: The complete file.
    """

    target: Path

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def note(self) -> Path:
        """Path of the note on where the bytes are from."""
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def start(self, url: str, version: str | None) -> None:
        """Write the note of a new download; ``version`` is valid in an If-Range header."""
        with atomic(self.note) as beside:
            beside.write_text(json.dumps({"url": url, "version": version}) + "\n")

    def version(self, url: str) -> str | None:
        """Version at ``url`` that these bytes belong to; None if unknown or of another URL."""
        try:
            note = json.loads(self.note.read_text())
            return str(note["version"]) if note["url"] == url and note["version"] else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None  # without it the whole file's checksum decides

    def finish(self) -> None:
        """Rename the verified part to its final name, after flushing its bytes to disk."""
        flush(self.path)
        self.path.replace(self.target)
        flush(self.target.parent)
        self.note.unlink(missing_ok=True)

    def drop(self) -> int:
        """Remove the bytes, and say how many there were."""
        size = self.size
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        return size
