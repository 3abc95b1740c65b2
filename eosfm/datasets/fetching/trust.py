"""Trust on first use: checksums of files whose publishers give none.

``data/trusted/<dataset>.sha256`` is tracked by Git, in the format that `sha256sum --check`
reads. The first fetch of a file writes its line; later ones must match it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic

TRUSTED = Path("data/trusted")


@dataclass(frozen=True)
class Trust:
    """The checksums of one dataset's files that were trusted on first use.

    Attributes:
        path: Where they are written.
    """

    path: Path

    def checksums(self) -> dict[str, str]:
        """``sha256:<hex>`` by file name.

        Raises:
            EosfmError: A line is malformed.
        """
        if not self.path.exists():
            return {}
        found = {}
        for line in self.path.read_text().splitlines():
            if (parts := re.fullmatch(r"([0-9a-f]{64})  (.+)", line)) is None:
                raise EosfmError(
                    f"{self.path} has the line {line[:80]!r}; expected a SHA-256, two spaces and a "
                    "file name; restore it with `git checkout`"
                )
            found[parts[2]] = f"sha256:{parts[1]}"
        return found

    def add(self, name: str, checksum: str) -> None:
        """Trust a file from now on."""
        known = self.checksums() | {name: checksum}
        lines = [f"{known[name].removeprefix('sha256:')}  {name}\n" for name in sorted(known)]
        with atomic(self.path) as beside:
            beside.write_text("".join(lines))
