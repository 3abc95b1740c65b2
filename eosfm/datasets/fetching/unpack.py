"""Unpacking of zip and tar archives: safely, completely, and all at once."""

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from eosfm.core.errors import EosfmError

DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, NotImplementedError)
"""What zipfile and tarfile raise on a damaged archive, besides an OSError without a number."""
REMEDY = "delete it to fetch it again"


def unpack(archive: Path, folder: Path, members: int | None = None) -> list[Path]:
    """Unpack a zip or tar (plain, gz, bz2, xz, zst) into ``folder``.

    The files are unpacked beside and then moved, so that ``folder`` never holds half a file. They
    are contents alone: owners, modes and times of an archive are not taken over.

    Args:
        archive: The archive.
        folder: Where its files go, among those that are there already.
        members: Number of files that the archive must hold; None where it is not known.

    Returns:
        The files, below ``folder``.

    Raises:
        EosfmError: The archive is damaged, holds another number of files, a link, or a member
            that would land outside of ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{archive.name}.unpacking"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        names = _unpack_into(beside, archive, members)
        if members is not None and len(names) != members:
            raise EosfmError(
                f"{archive} holds {len(names)} files where {members} are expected; {REMEDY}"
            )
        shutil.copytree(beside, folder, copy_function=os.replace, dirs_exist_ok=True)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return [folder / name for name in names]


def need_space(folder: Path, size: int, name: str) -> None:
    """Make sure that ``size`` bytes fit on the disk of ``folder``.

    Raises:
        EosfmError: They do not.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise EosfmError(
            f"{name} needs {size / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free; make "
            "room, or set `archives` in params.yaml to a folder on a larger disk"
        )


def _unpack_into(folder: Path, archive: Path, members: int | None) -> list[Path]:
    with archive.open("rb") as file:  # by its first bytes: a tar of zip files may end like one
        unpacking = _unzip if file.read(4) in (b"PK\x03\x04", b"PK\x05\x06") else _untar
    bar = tqdm(
        unpacking(archive, folder),
        desc=f"unpack {archive.name}",
        total=members,
        unit="file",
        leave=False,
        disable=None,
    )
    try:
        return [path.relative_to(folder) for path in bar]
    except (*DAMAGE, OSError) as error:
        if getattr(error, "errno", None) is not None:  # the disk's fault, not the archive's
            raise EosfmError(f"{archive} cannot be unpacked: {error}") from None
        raise EosfmError(f"{archive} is damaged ({error}); {REMEDY}") from None


def _unzip(archive: Path, folder: Path) -> Iterator[Path]:
    with zipfile.ZipFile(archive) as file:
        infos = [info for info in file.infolist() if not info.is_dir()]
        need_space(folder, sum(info.file_size for info in infos), archive.name)
        for info in infos:
            yield Path(file.extract(info, folder))


def _untar(archive: Path, folder: Path) -> Iterator[Path]:
    with _open_tar(archive) as file:
        for member in file:
            if not (member.isfile() or member.isdir()):
                raise EosfmError(f"{archive}: {member.name} is a link or device; not unpacked")
            file.extract(member, folder, set_attrs=False, filter="data")
            if member.isfile():
                yield folder / member.name.lstrip("/")


@contextmanager
def _open_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar as a stream; Zstandard through pyarrow, the other compressions by tarfile."""
    if archive.suffix != ".zst":
        with tarfile.open(archive, mode="r|*") as file:
            yield file
        return
    import pyarrow

    with (
        pyarrow.input_stream(str(archive), compression="zstd") as stream,
        tarfile.open(fileobj=stream, mode="r|") as file,
    ):
        yield file
