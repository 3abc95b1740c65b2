"""A dataset's archives on disk: downloaded, unpacked, and never twice.

``.fetched/<file>.gz`` below the dataset's folder lists what a finished archive left there: the
proof that it need not be fetched again.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.datasets.fetching.download import download
from eosfm.datasets.fetching.unpack import unpack
from eosfm.datasets.native.contents import Entry, hash_files, list_names
from eosfm.datasets.native.spec import Archive, Dataset


def fetch(dataset: Dataset, root: Path, cache: Path | None = None) -> None:
    """Bring a dataset's archives below ``root``; what is complete there is not fetched again.

    Args:
        dataset: The dataset.
        root: Folder of its files.
        cache: Folder that remembers hashes (see :mod:`eosfm.datasets.native.contents`).

    Raises:
        EosfmError: A person must fetch it, the disk is too small, or no server gave the file
            that the spec describes.
    """
    source = dataset.source
    archives = source.files()
    if not archives and source.download is None:
        raise EosfmError(
            f"{dataset.name} cannot be fetched by a program: "
            f"{source.manual or f'see {source.homepage}'}; then set datasets.{dataset.name}.root "
            "to the folder that holds it"
        )
    root.mkdir(parents=True, exist_ok=True)
    try:
        for archive in archives:
            record = _Record(root, archive.filename, f"{archive.url} {archive.checksum}", cache)
            if not record.holds():
                record.write(_fetch_archive(archive, root))
        if source.download is not None:
            record = _Record(root, "download", "torchgeo", cache)
            if not record.holds():
                record.write(_run_download(source.download, root))
    except EosfmError as error:
        raise EosfmError(f"{dataset.name}: {error} (see {source.homepage})") from None


def _fetch_archive(archive: Archive, root: Path) -> list[Path]:
    path = download(archive, root)
    if archive.extract is None:
        return [path]
    left = unpack(path, root / archive.extract, archive.members)
    path.unlink()
    return left


def _run_download(run: Callable[[Path], None], root: Path) -> list[Path]:
    """Let torchgeo download; the program that it calls goes on where it stopped."""
    from torchgeo.datasets import DependencyNotFoundError

    try:
        run(root)
    except DependencyNotFoundError as error:
        raise EosfmError(f"{str(error).rstrip('.')}; put it on the PATH and run again") from None
    except CalledProcessError as error:
        raise EosfmError(
            f"{Path(error.cmd[0]).name} ended with status {error.returncode}; read what it said "
            "above, then run again to go on where it stopped"
        ) from None
    return [root / name for name in list_names(root)]


@dataclass(frozen=True)
class _Record:
    """What an archive left below ``root``, written down there.

    Attributes:
        root: The dataset's folder.
        name: The archive's.
        identity: What was fetched; a record of anything else does not count.
        cache: Folder that remembers hashes.
    """

    root: Path
    name: str
    identity: str
    cache: Path | None

    @property
    def path(self) -> Path:
        return self.root / ".fetched" / f"{self.name.replace('/', '__')}.gz"

    def write(self, left: list[Path]) -> None:
        names = [path.relative_to(self.root).as_posix() for path in left]
        with atomic(self.path) as beside, gzip.open(beside, "wt") as file:
            for row in (self.identity, *hash_files(self.root, names, self.cache)):
                file.write(json.dumps(row) + "\n")

    def holds(self) -> bool:
        """Whether this was fetched, and all that it left is there as it was."""
        if not self.path.exists():
            return False
        with gzip.open(self.path, "rt") as file:
            identity, *rows = map(json.loads, file)
        left = [Entry(*row) for row in rows]
        if identity != self.identity or not all((self.root / e.path).is_file() for e in left):
            return False
        return list(hash_files(self.root, [e.path for e in left], self.cache)) == left
