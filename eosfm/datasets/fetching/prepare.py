"""The download stage's work: a dataset's files on disk and their manifest."""

import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.datasets.fetching.fetch import fetch
from eosfm.datasets.fetching.manifest import (
    Manifest,
    check_manifest,
    read_manifest,
    write_manifest,
)
from eosfm.datasets.fetching.unpack import unpack
from eosfm.datasets.fetching.watch import CACHE
from eosfm.datasets.spec import Dataset

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
            :mod:`eosfm.datasets.fetching.watch`).

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


def prepare(
    dataset: Dataset, copy: NativeCopy, simulate: Callable[[Path], None], out: Path
) -> Manifest:
    """Simulate, find or download a dataset, and write ``out/manifest.parquet``.

    A simulated copy goes to ``out/files.tar``. A copy at ``root`` stays where it is; a downloaded
    one goes to ``archives/<dataset>``. ``out`` appears when all is done, or not at all.

    Args:
        dataset: The dataset.
        copy: Where its files are, or come from.
        simulate: Writes a simulated copy into a folder.
        out: The stage's output folder; replaced.

    Raises:
        EosfmError: The files cannot be had, or are not the dataset described.
    """
    dataset = replace(dataset, name=copy.entry)  # the name that a user can act on
    with atomic(out) as beside:
        beside.mkdir()
        if copy.simulated:
            files = beside / "files"
            files.mkdir()
            simulate(files)
            manifest = write_manifest(files, beside / MANIFEST, dataset)
            _pack(files, manifest, beside / PACKED)
            shutil.rmtree(files)
            return replace(manifest, path=out / MANIFEST)
        if copy.root is None:
            fetch(dataset, copy.folder, copy.cache)
        elif not copy.folder.is_dir():
            raise EosfmError(
                f"datasets.{copy.entry}.root is {copy.root}, which is no folder; expected a copy "
                f"of {dataset.title}; correct it, or set it to null to download one"
            )
        manifest = write_manifest(copy.folder, beside / MANIFEST, dataset, copy.cache)
        return replace(manifest, path=out / MANIFEST)


@contextmanager
def native_files(copy: NativeCopy, out: Path) -> Iterator[Path]:
    """Give the folder of a dataset's native files, as long as the ``with`` block lasts.

    A simulated copy is unpacked beside ``out`` and removed afterwards. Others are where they are,
    open to anybody: they must be those of the manifest when the block starts and when it ends
    well, so that nothing was read that the manifest does not vouch for.

    Args:
        copy: Where the files are.
        out: The folder that :func:`prepare` wrote.

    Raises:
        EosfmError: The packed copy is missing or damaged; a file elsewhere was changed, added or
            removed since the manifest was written.
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
        remedy = f"run `dvc repro -f data/dvc.yaml:download@{copy.entry}`"
        unpack(out / PACKED, scratch, manifest.count, remedy)
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _pack(folder: Path, manifest: Manifest, archive: Path) -> None:
    """Pack the files of a manifest; times and owners stay zero, so the same files, same bytes.

    The ustar format has room for paths of 255 characters in a file's one header. The others add
    records for paths above 100, and are read back three times slower.
    """
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for entry in manifest.files():
            info = tarfile.TarInfo(entry.path)
            info.size = entry.bytes
            with (folder / entry.path).open("rb") as file:
                tar.addfile(info, file)
