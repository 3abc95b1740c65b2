"""A download under way on the disk: ``<file>.part``, and whose bytes they are.

Beside it ``<file>.part.json`` says from which address they came and what its server calls this
version of the file. It stays until the whole file was found good under its own name: with it, a
file was put there by a download, and not by hand.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from eosfm.core.files import atomic, flush


@dataclass(frozen=True)
class Part:
    """The bytes of one file that came so far.

    Attributes:
        target: The file to be.
    """

    target: Path

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def note(self) -> Path:
        """Where it is written whose they are."""
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def start(self, url: str, version: str | None) -> None:
        """Note whose bytes come now; ``version`` is what an If-Range may hold."""
        with atomic(self.note) as beside:
            beside.write_text(json.dumps({"url": url, "version": version}) + "\n")

    def version(self, url: str) -> str | None:
        """What the server of ``url`` called the file that these bytes are of; None if unknown."""
        try:
            note = json.loads(self.note.read_text())
            return str(note["version"]) if note["url"] == url and note["version"] else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None  # without it the whole file's checksum decides

    def finish(self) -> None:
        """Give the whole file its name; its bytes are on the disk before."""
        flush(self.path)
        self.path.replace(self.target)
        flush(self.target.parent)

    def reopen(self) -> None:
        """What has the name does not deserve it."""
        self.target.replace(self.path)

    def drop(self) -> int:
        """Remove the bytes, and say how many there were."""
        size = self.size
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        return size

    def done(self) -> None:
        """The file is good under its own name."""
        self.note.unlink(missing_ok=True)
