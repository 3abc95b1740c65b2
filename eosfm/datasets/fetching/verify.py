"""Whether a file is the one that a spec describes."""

from pathlib import Path

from eosfm.datasets.native.contents import hash_file
from eosfm.datasets.native.spec import Archive

MAGIC: dict[str, tuple[bytes, ...]] = {
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
    ".bz2": (b"BZh",),
    ".xz": (b"\xfd7zXZ\x00",),
    ".zst": (b"\x28\xb5\x2f\xfd",),
    ".tif": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    ".png": (b"\x89PNG",),
    ".parquet": (b"PAR1",),
    ".h5": (b"\x89HDF",),
}
"""First bytes of the formats that archives come in."""

HEAD = 512
"""Bytes that tell what a file is."""


class Refused(Exception):
    """The server will not give the file, however often it is asked."""


class OtherFile(Refused):
    """It is not the file that the spec describes."""


def verify(path: Path, archive: Archive) -> None:
    """Compare a whole file with the spec; it is read as it lies on the disk.

    Raises:
        OtherFile: It is empty or a web page, or has another format, size or checksum.
    """
    refuse_other_format(path, archive)
    size = path.stat().st_size
    if size == 0:
        raise OtherFile("is empty")
    if archive.size is not None and size != archive.size:
        raise OtherFile(f"has {size} bytes where {archive.size} are expected")
    if archive.checksum is not None:
        kind, _, expected = archive.checksum.partition(":")
        found = hash_file(path, kind, progress=True)
        if found != expected:
            raise OtherFile(f"has {kind} {found} where {expected} is expected")


def refuse_other_format(path: Path, archive: Archive) -> None:
    """Refuse what does not begin as the archive's format does, a saved web page first of all.

    Raises:
        OtherFile: It does not.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    suffix = Path(archive.filename).suffix.lower()
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")) and suffix != ".html":
        raise OtherFile(f"gave a web page, not {archive.filename} (a log-in, quota or error page)")
    if head and suffix in MAGIC and not head.startswith(MAGIC[suffix]):
        raise OtherFile(f"gave a file that is no {suffix} (it starts with {head[:8]!r})")
