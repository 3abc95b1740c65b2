"""Unpacking of zip and tar archives: safely, completely, and all at once."""

import bz2
import errno
import gzip
import json
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.core.tars import extract
from eosfm.datasets.fetching.members import REMEDY, BadArchive, Members
from eosfm.datasets.native.contents import list_names

DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error,
    ValueError, OverflowError, RuntimeError,
)  # fmt: skip
"""What zipfile and tarfile raise on a damaged archive, besides an OSError without a number."""
CLASHES = (None, errno.EEXIST, errno.EISDIR, errno.ENOTDIR)
"""Numbers of an OSError that is the archive's fault: it holds a file where it holds a folder."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
"""Compressions within a zip that Python reads."""
LONGEST_NAME = 1 << 20
"""Bytes of a tar's record of a long name or of further facts; they are read into memory."""
PADDING = 64
"""Megabytes that may follow the last member of a tar."""


def unpack(archive: Path, folder: Path, names: Path) -> None:
    """Unpack a zip or tar (plain, gz, bz2, xz, zst) into ``folder``.

    The files are unpacked beside and then moved, so that ``folder`` never holds half a file. They
    are contents alone: owners, modes and times of an archive are not taken over.

    Args:
        archive: The archive.
        folder: Where its files go, among those that are there already.
        names: A file that gets their paths below ``folder``, sorted, one a line as JSON.

    Raises:
        BadArchive: It is damaged, encrypted or empty, holds a link, or a member that would land
            outside of ``folder``, or unpacks to far more than a dataset.
        EosfmError: The disk is full, or may not be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{archive.name}.unpacking"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        if not _unpack_into(beside, archive):
            raise BadArchive(f"{archive} holds no file; {REMEDY}")
        names.unlink(missing_ok=True)  # it may be another user's, of a run that was killed
        with names.open("w") as lines:
            for name in list_names(beside, hidden=True):
                lines.write(json.dumps(name) + "\n")
                # `shutil.copytree` would set the times of existing folders, which may be
                # another user's.
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(beside / name, folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


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


def _unpack_into(folder: Path, archive: Path) -> int:
    """Unpack an archive, and count its files."""
    with archive.open("rb") as file:  # by its first bytes: a tar of zip files may end like one
        unpacking = _unzip if file.read(4) in (b"PK\x03\x04", b"PK\x05\x06") else _untar
    bar = tqdm(
        unpacking(archive, folder),
        desc=f"unpack {archive.name}",
        unit="file",
        leave=False,
        disable=None,
    )
    try:
        return sum(1 for _ in bar)
    except (*DAMAGE, OSError) as error:
        if not isinstance(error, OSError) or error.errno in CLASHES:
            raise BadArchive(f"{archive} is damaged ({error}); {REMEDY}") from None
        room = "make room, and " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise EosfmError(
            f"{archive} cannot be unpacked to {folder.parent} ({error.strerror}); {room}run again"
        ) from None


def _unzip(archive: Path, folder: Path) -> Iterator[str]:
    watched = Members(archive, folder)
    with zipfile.ZipFile(archive) as file:
        need_space(folder, sum(info.file_size for info in file.infolist()), archive.name)
        for info in file.infolist():
            watched.admit(info.filename, info.file_size, info.is_dir())
            if info.flag_bits & 1:
                raise BadArchive(f"{archive}: {info.filename} is encrypted; expected it to be open")
            if info.compress_type not in METHODS:
                raise BadArchive(
                    f"{archive}: {info.filename} is compressed by method {info.compress_type}, "
                    "which Python lacks; unpack it with another program, and set the dataset's root"
                )
            if stat.S_ISLNK(info.external_attr >> 16):
                raise BadArchive(f"{archive}: {info.filename} is a link or device; not unpacked")
            file.extract(info, folder)
            if not info.is_dir():
                yield info.filename


def _untar(archive: Path, folder: Path) -> Iterator[str]:
    watched = Members(archive, folder)
    with _open_tar(archive) as file:
        for member in file:
            file.members.clear()  # type: ignore[attr-defined]  # there may be millions
            if not (member.isfile() or member.isdir()):
                raise BadArchive(f"{archive}: {member.name} is a link or device; not unpacked")
            if member.isdir() and member.name.strip("./") == "":  # the folder itself
                continue
            watched.admit(member.name, member.size, member.isdir())
            extract(file, member, folder)
            if member.isfile():
                yield member.name


class _Member(tarfile.TarInfo):
    """A tar member that refuses oversized headers."""

    def _proc_member(self, archive: tarfile.TarFile) -> Self:
        files = (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE)
        if self.type not in files and self.size > LONGEST_NAME:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]


@contextmanager
def _open_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar as a stream, and read it to its end, where its compression has a checksum."""
    with (
        _decompress(archive) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as file,
    ):
        yield file
        if any(not stream.read(1 << 20) for _ in range(PADDING)):
            return
    raise tarfile.ReadError("it does not end after its last member")


def _decompress(archive: Path) -> Any:
    """A file of the bytes that were compressed, whatever the archive is called."""
    with archive.open("rb") as file:
        head = file.read(6)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow

        return pyarrow.input_stream(str(archive), compression="zstd")
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(archive)
    if head.startswith(b"BZh"):
        return bz2.open(archive)
    return lzma.open(archive) if head.startswith(b"\xfd7zXZ\x00") else archive.open("rb")
