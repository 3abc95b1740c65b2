"""The download stage's work: a dataset's files on disk and their manifest."""

import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.fetch import fetch
from eosfm.datasets.fetching.manifest import Manifest, read_manifest, write_manifest
from eosfm.datasets.fetching.unpack import unpack
from eosfm.datasets.spec import Dataset

PACKED = "files.tar"
"""A simulated copy's files as one: DVC would look at each of thousands in every run."""


def prepare(
    dataset: Dataset,
    source: str,
    root: str | None,
    archives: str,
    simulate: Callable[[Path], None],
    out: Path,
) -> Manifest:
    """Simulate, find or download a dataset, and write ``out/manifest.json``.

    A simulated copy goes to ``out/files.tar``. A copy at ``root`` stays where it is; a downloaded
    one goes to ``archives/<dataset>``. ``out`` appears when all is done, or not at all.

    Args:
        dataset: The dataset.
        source: ``simulated`` or ``archive``.
        root: A copy that the user already has; None to download one.
        archives: Folder of downloaded datasets.
        simulate: Writes a simulated copy into a folder.
        out: The stage's output folder; replaced.

    Raises:
        EosfmError: The files cannot be had, or are not the dataset described.
    """
    beside = out.with_name(f".{out.name}.part")
    files = _place(dataset.name, source, root, archives, beside / "files")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        if source == "simulated":
            files.mkdir()
            simulate(files)
        elif root is None:
            fetch(dataset, files)
        elif not files.is_dir():
            raise EosfmError(
                f"datasets.{dataset.name}.root is {root}, which is no folder; expected a copy of "
                f"{dataset.title}; correct it, or set it to null to download one"
            )
        manifest = write_manifest(files, beside / "manifest.json", dataset)
        if source == "simulated":
            _pack(files, manifest, beside / PACKED)
            shutil.rmtree(files)
        shutil.rmtree(out, ignore_errors=True)
        beside.replace(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest


@contextmanager
def native_files(
    dataset: str, source: str, root: str | None, archives: str, out: Path
) -> Iterator[Path]:
    """Give the folder of a dataset's native files, as long as the ``with`` block lasts.

    A simulated copy is unpacked beside ``out`` and removed afterwards; others are where they are.

    Args:
        dataset: The dataset's name.
        source: ``simulated`` or ``archive``, as it was prepared.
        root: A copy that the user already has, or None.
        archives: Folder of downloaded datasets.
        out: The folder that :func:`prepare` wrote.

    Raises:
        EosfmError: ``root`` names a copy, yet the dataset is simulated; or the packed copy is
            missing or damaged.
    """
    scratch = out.with_name(f".{out.name}.files")
    files = _place(dataset, source, root, archives, scratch)
    try:
        if source == "simulated":
            count = len(read_manifest(out / "manifest.json").files)
            shutil.rmtree(scratch, ignore_errors=True)
            unpack(out / PACKED, scratch, count, remedy=f"run `dvc repro -f download@{dataset}`")
        yield files
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _place(dataset: str, source: str, root: str | None, archives: str, scratch: Path) -> Path:
    if source == "simulated":
        if root is not None:
            raise EosfmError(
                f"datasets.{dataset}.root is set, but its source is simulated, so the copy would "
                f"not be read; set datasets.{dataset}.source=archive as well, or leave root null"
            )
        return scratch
    return Path(root).expanduser() if root is not None else Path(archives) / dataset


def _pack(folder: Path, manifest: Manifest, archive: Path) -> None:
    """Pack the files of a manifest; times and owners stay zero, so the same files, same bytes.

    The ustar format has room for paths of 255 characters in a file's one header. The others add
    records for paths above 100, and are read back three times slower.
    """
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for entry in manifest.files:
            info = tarfile.TarInfo(entry.path)
            info.size = entry.bytes
            with (folder / entry.path).open("rb") as file:
                tar.addfile(info, file)
