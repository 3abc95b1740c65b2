"""Downloading of real archives: resumed, mirrored, checked, unpacked, and never twice.

Below the dataset's folder, ``<file>.part`` is a download under way and ``.fetched/<file>.gz``
lists what a finished archive left on disk: the proof that it need not be fetched again.
"""

import gzip
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.unpack import need_space, unpack
from eosfm.datasets.spec import Archive, Dataset

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 20
ATTEMPTS = 5
BACKOFF = 1.0
"""Seconds before the second attempt; doubles with every attempt that brings no byte."""
TIMEOUT = (20, 60)
"""Seconds to connect, and between two bytes."""

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


class _Retry(Exception):
    """A fault that may pass: the server is asked again."""


class _Refused(Exception):
    """A fault that will not pass: the next mirror is asked."""


def fetch(dataset: Dataset, root: Path) -> None:
    """Bring a dataset's archives below ``root``; what is complete there is not fetched again.

    Raises:
        EosfmError: A person must fetch it, the disk is too small, or no server gave the file
            that the spec describes.
    """
    source = dataset.source
    if not source.archives:
        raise EosfmError(
            f"{dataset.name} cannot be fetched by a program: "
            f"{source.manual or f'see {source.homepage}'}; then set datasets.{dataset.name}.root "
            "to the folder that holds it"
        )
    root.mkdir(parents=True, exist_ok=True)
    for archive in source.files():
        if _complete(root, archive):
            continue
        try:
            path = download(archive, root)
            left = [path]
            if archive.extract is not None:
                left = unpack(path, root / archive.extract, archive.members)
                path.unlink()
        except EosfmError as error:
            raise EosfmError(f"{dataset.name}: {error} (see {source.homepage})") from None
        _record(root, archive, left)


def download(archive: Archive, root: Path) -> Path:
    """Download one archive to ``root/filename``, going on where an earlier attempt ended.

    A file of that name that is there already (put there by hand) is checked and kept.

    Raises:
        EosfmError: No server gave the file described, or the disk is too small.
    """
    target = root / archive.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        try:
            _check(target, archive)
        except _Refused as fault:
            raise EosfmError(f"{target} {fault}; delete it to fetch it again") from None
        return target
    part = _Part(target.with_name(f"{target.name}.part"), archive.checksum)
    faults = []
    for url in (archive.url, *archive.mirrors):
        try:
            _download_from(url, archive, part)
        except _Refused as fault:
            faults.append(f"{urlsplit(url).netloc} {fault}")
            continue
        part.path.replace(target)
        return target
    raise EosfmError(
        f"{archive.filename} could not be fetched: {'; '.join(faults)}; run again to go on where "
        f"it stopped, or put the file at {target}"
    )


def _download_from(url: str, archive: Archive, part: "_Part") -> None:
    """Fetch ``part`` from one server, patiently.

    Raises:
        _Refused: The server does not have the file, or has another one.
    """
    attempt, best = 0, part.size
    while True:
        resumed = part.size > 0
        try:
            _transfer(url, archive, part)
            try:
                _check(part.path, archive, part.digest.hexdigest())
            except _Refused as fault:
                part.restart()
                if not resumed:
                    raise
                # The bytes kept from an earlier attempt may be at fault: once more from zero.
                raise _Retry(str(fault)) from None
            return
        except _Retry as fault:
            attempt = 1 if part.size > best else attempt + 1
            best = max(best, part.size)
            if attempt >= ATTEMPTS:
                raise _Refused(f"{fault} ({ATTEMPTS} attempts)") from None
            time.sleep(BACKOFF * 2 ** (attempt - 1))


class _Part:
    """The bytes at hand of a download under way, hashed as they arrive."""

    def __init__(self, path: Path, checksum: str | None) -> None:
        self.path = path
        self._kind = checksum.partition(":")[0] if checksum else "sha256"
        self.size = 0
        self.digest = hashlib.new(self._kind)
        if path.exists():
            self.digest = hash_file(path, self._kind, progress=True)
            self.size = path.stat().st_size

    def restart(self) -> None:
        """Forget all bytes."""
        self.path.unlink(missing_ok=True)
        self.size = 0
        self.digest = hashlib.new(self._kind)

    def append(self, chunks: Iterable[bytes]) -> Iterator[int]:
        """Write chunks to the file; yields the length of each once it is written."""
        with self.path.open("ab") as file:
            for chunk in chunks:
                file.write(chunk)
                self.size += len(chunk)
                self.digest.update(chunk)
                yield len(chunk)


def _transfer(url: str, archive: Archive, part: _Part) -> None:
    """Append the missing bytes to ``part``.

    Raises:
        _Retry: The connection broke, or the server is busy.
        _Refused: The server does not have the file, or has another one.
    """
    import requests

    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            status = response.status_code
            if status == 416:  # no byte after those at hand: they are all there, or wrong
                total = response.headers.get("Content-Range", "").rpartition("/")[2]
                if total != str(part.size):
                    part.restart()
                    raise _Retry(f"has a file of {total or 'another number of'} bytes")
                return
            if status in (408, 429) or status >= 500:
                raise _Retry(f"answered {status} {response.reason}")
            if status >= 400:
                raise _Refused(f"answered {status} {response.reason}")
            if status != 206:  # no support for Range: it sends all bytes again
                part.restart()
            _receive(response, archive, part)
    except requests.RequestException as error:
        raise _Retry(f"cannot be reached, or broke off ({type(error).__name__})") from None


def _receive(response: "requests.Response", archive: Archive, part: _Part) -> None:
    chunks = response.iter_content(CHUNK)
    if part.size == 0:
        first = next(chunks, b"")
        _refuse_other_format(first[:512], archive)
        chunks = chain([first], chunks)
    length = response.headers.get("Content-Length")
    total = part.size + int(length) if length else archive.size
    if archive.size is not None and total != archive.size:
        raise _Refused(f"has {total} bytes where {archive.size} are expected")
    need_space(part.path.parent, (total or 0) - part.size, archive.filename)
    bar = tqdm(
        desc=archive.filename,
        total=total,
        initial=part.size,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=None,
    )
    with bar:
        for length_written in part.append(chunks):
            bar.update(length_written)


def _check(path: Path, archive: Archive, digest: str | None = None) -> None:
    """Compare a whole file with the spec; ``digest`` saves reading it again.

    Raises:
        _Refused: It is a web page, or has another format, size or checksum.
    """
    with path.open("rb") as file:
        _refuse_other_format(file.read(512), archive)
    size = path.stat().st_size
    if archive.size is not None and size != archive.size:
        raise _Refused(f"has {size} bytes where {archive.size} are expected")
    if archive.checksum is not None:
        kind, _, expected = archive.checksum.partition(":")
        found = digest or hash_file(path, kind, progress=True).hexdigest()
        if found != expected:
            raise _Refused(f"has {kind} {found} where {expected} is expected")


def _refuse_other_format(head: bytes, archive: Archive) -> None:
    """Refuse what is not the archive's format, a saved web page first of all."""
    suffix = Path(archive.filename).suffix.lower()
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")) and suffix != ".html":
        raise _Refused(f"gave a web page, not {archive.filename} (a log-in, quota or error page)")
    if suffix in MAGIC and not head.startswith(MAGIC[suffix]):
        raise _Refused(f"gave a file that is no {suffix} (it starts with {head[:8]!r})")


def hash_file(path: Path, kind: str = "sha256", progress: bool = False) -> "hashlib._Hash":
    """The hash of a file, read once in large blocks."""
    digest = hashlib.new(kind)
    bar = tqdm(
        desc=f"{kind} of {path.name}",
        total=path.stat().st_size,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=None if progress else True,
    )
    with bar, path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            bar.update(len(chunk))
    return digest


def _record(root: Path, archive: Archive, left: list[Path]) -> None:
    """Write down what an archive left below ``root``."""
    record = _record_path(root, archive)
    record.parent.mkdir(exist_ok=True)
    part = record.with_name(f"{record.name}.part")
    with gzip.open(part, "wt") as file:
        file.write(f"{archive.url} {archive.checksum}\n")
        for path in left:
            file.write(f"{path.stat().st_size} {path.relative_to(root).as_posix()}\n")
    part.replace(record)


def _complete(root: Path, archive: Archive) -> bool:
    """Whether the archive was fetched and all that it left is still there."""
    record = _record_path(root, archive)
    if not record.exists():
        return False
    with gzip.open(record, "rt") as file:
        if file.readline().rstrip("\n") != f"{archive.url} {archive.checksum}":
            return False
        entries = (line.rstrip("\n").partition(" ") for line in file)
        return all(_has_size(root / name, int(size)) for size, _, name in entries)


def _has_size(path: Path, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except FileNotFoundError:
        return False


def _record_path(root: Path, archive: Archive) -> Path:
    return root / ".fetched" / f"{archive.filename.replace('/', '__')}.gz"
