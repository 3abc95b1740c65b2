"""Where a dataset's native files are: simulated and packed, or in a folder that may change."""

import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.tars import extract
from eosfm.datasets.native.contents import CACHE
from eosfm.datasets.native.manifest import check_manifest, read_manifest

MANIFEST = "manifest.parquet"
PACKED = "files.tar"
"""A simulated copy's files as one: DVC would look at each of thousands in every run."""


@dataclass(frozen=True)
class NativeCopy:
    """Where an entry's native files are, or come from.

    Attributes:
        entry: Name of the entry in params.
        dataset: Name of the dataset that the files are a copy of.
        source: ``simulated`` or ``archive``.
        root: A copy that the user already has; None to download one.
        archives: Folder of downloaded datasets.
        cache: Folder that remembers the hashes of files (see
            :mod:`eosfm.datasets.native.contents`).

    Raises:
        EosfmError: ``root`` names a copy, yet the dataset is simulated.
    """

    entry: str
    dataset: str
    source: str
    root: str | None
    archives: str
    cache: Path = CACHE

    def __post_init__(self) -> None:
        if self.simulated and self.root is not None:
            raise EosfmError(
                f"datasets.{self.entry}.root is set, but its source is simulated, so the copy "
                f"would not be read; set datasets.{self.entry}.source=archive as well, or leave "
                "root null"
            )

    @property
    def simulated(self) -> bool:
        """Whether the files are painted, and packed with the manifest."""
        return self.source == "simulated"

    @property
    def folder(self) -> Path:
        """Where the files are, unless they are simulated."""
        return Path(self.root or Path(self.archives, self.dataset)).expanduser()


@contextmanager
def native_files(copy: NativeCopy, out: Path) -> Iterator[Path]:
    """Give the folder of a dataset's native files, as long as the ``with`` block lasts.

    A simulated copy is unpacked beside ``out`` and removed afterwards. Others are where they are,
    open to anybody: they must be those of the manifest when the block starts and when it ends
    well, so that nothing was read that the manifest does not vouch for.

    Args:
        copy: Where the files are.
        out: The folder that the download stage wrote.

    Raises:
        EosfmError: The packed copy is missing or damaged, or the disk is full; a file elsewhere
            was changed, added or removed since the manifest was written.
    """
    manifest = read_manifest(out / MANIFEST)
    if not copy.simulated:
        check_manifest(manifest, copy.folder, copy.cache)
        yield copy.folder
        check_manifest(manifest, copy.folder, copy.cache)
        return
    scratch = out.with_name(f".{out.name}.files")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        _unpack(out / PACKED, scratch, manifest.count, copy.entry)
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _unpack(packed: Path, folder: Path, count: int, entry: str) -> None:
    """Unpack a simulated copy, ignoring times and owners."""
    remedy = f"run `dvc repro -f data/dvc.yaml:download@{entry}`"
    try:
        with tarfile.open(packed, "r:") as tar:
            for member in tar:
                extract(tar, member, folder)
            found = len(tar.getmembers())
    except (FileNotFoundError, EOFError, tarfile.TarError) as error:
        raise EosfmError(f"{packed} is missing or damaged ({error}); {remedy}") from None
    except OSError as error:
        raise EosfmError(
            f"{packed} cannot be unpacked to {folder} ({error.strerror}); make room there, and run "
            "again"
        ) from None
    if found != count:
        raise EosfmError(f"{packed} holds {found} files where {count} are expected; {remedy}")
