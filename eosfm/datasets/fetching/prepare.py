"""The download stage's work: a dataset's files on disk and their manifest."""

import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.datasets.fetching.counts import check_counts, count_scenes
from eosfm.datasets.fetching.fetch import fetch
from eosfm.datasets.fetching.trust import TRUSTED
from eosfm.datasets.native.contents import list_files
from eosfm.datasets.native.copy import MANIFEST, PACKED, NativeCopy
from eosfm.datasets.native.manifest import Manifest, save_manifest
from eosfm.datasets.native.spec import Dataset


def prepare(
    dataset: Dataset,
    copy: NativeCopy,
    simulate: Callable[[Path], None],
    out: Path,
    a_part: bool = False,
    trusted: Path = TRUSTED,
) -> Manifest:
    """Simulate, find or download a dataset, and write ``out/manifest.parquet``.

    A simulated copy goes to ``out/files.tar``. A copy at ``root`` stays where it is; a downloaded
    one goes to ``archives/<dataset>``. ``out`` appears when all is done, or not at all.

    Args:
        dataset: The dataset.
        copy: Where its files are, or come from.
        simulate: Writes a simulated copy into a folder.
        out: The stage's output folder; replaced.
        a_part: Whether scene counts are left unchecked, for a partial copy.
        trusted: Folder of scene counts trusted on first use, where none are published.

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
        if not a_part:
            check_counts(dataset, copy.folder, manifest.scenes, trusted)
        return replace(manifest, path=out / MANIFEST)


def write_manifest(root: Path, out: Path, dataset: Dataset, cache: Path | None = None) -> Manifest:
    """List, hash and count what lies below ``root``, and write that to ``out`` as Parquet.

    One row per file: path, bytes, SHA-256. The same files give the same bytes wherever they lie: no
    absolute path, no time goes in.

    Args:
        root: The dataset's files.
        out: The manifest.
        dataset: The dataset.
        cache: Folder that remembers hashes (see :mod:`eosfm.datasets.native.contents`); None for
            files that are read this once.

    Raises:
        EosfmError: The dataset's reader finds no scene, a scene twice, or none to train on.
    """
    scenes = count_scenes(dataset, root)
    return save_manifest(out, dataset.name, scenes, list_files(root, cache))


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
