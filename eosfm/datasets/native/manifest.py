"""What a dataset's folder holds: the small file that stands for large data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.native.contents import Entry, list_files

FORMAT = 1
REMEDY = "run `dvc repro -f data/dvc.yaml:download@<dataset>`"


@dataclass(frozen=True)
class Manifest:
    """The files of a dataset.

    Attributes:
        dataset: Its name.
        scenes: Number of labelled scenes per split.
        files: All files below the root, sorted by path; hidden ones are left out.
    """

    dataset: str
    scenes: Mapping[Split, int]
    files: tuple[Entry, ...]

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(entry.bytes for entry in self.files)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest that the download stage wrote.

    Raises:
        EosfmError: The file is missing, or is no manifest of this format.
    """
    try:
        data = json.loads(path.read_text())
        if data["format"] != FORMAT:
            raise EosfmError(f"{path} has format {data['format']}; expected {FORMAT}; {REMEDY}")
        files = tuple(Entry(*row) for row in data["files"])
        return Manifest(data["dataset"], data["scenes"], files)
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise EosfmError(
            f"{path} is no manifest ({type(error).__name__}: {error}); {REMEDY}"
        ) from None


def check_manifest(manifest: Manifest, root: Path, cache: Path | None = None) -> None:
    """Make sure that ``root`` holds the manifest's files, with their content, and no other.

    Raises:
        EosfmError: A file is missing, new, or holds something else.
    """
    then = {entry.path: entry for entry in manifest.files}
    now = {entry.path: entry for entry in list_files(root, cache)}
    faults = sorted(path for path in then | now if then.get(path) != now.get(path))
    if faults:
        first = faults[0]
        fault = "is missing" if first not in now else "is new" if first not in then else "changed"
        raise EosfmError(
            f"{manifest.dataset}: {root / first} {fault} since the dataset was prepared, the first "
            f"of {len(faults)} such files; put it back, or run `dvc repro -f "
            f"data/dvc.yaml:download@{manifest.dataset}` to go on with what is there"
        )
