"""Downloading of one archive: resumed, mirrored, checked.

``<file>.part`` is a download under way.
"""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.unpack import need_space
from eosfm.datasets.native.contents import hash_file
from eosfm.datasets.native.spec import Archive

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 20
ATTEMPTS = 5
"""How often a server is asked that brings no byte."""
BACKOFF = 1.0
"""Seconds before the third attempt, the first two follow at once; doubles with every other."""
TIMEOUT = (20, 60)
"""Seconds to connect, and between two bytes."""
BUSY = (408, 429, 500, 502, 503, 504)
"""Answers that may be another one later."""

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


class _Refused(Exception):
    """This server will not give the file: the next mirror is asked."""


class _OtherFile(_Refused):
    """It is not the file that the spec describes."""


class _BrokenOff(Exception):
    """The bytes ended too early: the server is asked for the rest."""


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
    part = target.with_name(f"{target.name}.part")
    faults = []
    for url in (archive.url, *archive.mirrors):
        try:
            _download_from(url, archive, part)
        except _Refused as fault:
            faults.append(f"{urlsplit(url).netloc} {fault}")
            continue
        part.replace(target)
        return target
    raise EosfmError(
        f"{archive.filename} could not be fetched: {'; '.join(faults)}; run again to go on where "
        f"it stopped, or put the file at {target}"
    )


def _download_from(url: str, archive: Archive, part: Path) -> None:
    """Fetch ``part`` from one server, as long as it brings bytes.

    To ask again where a server is busy or away is urllib3's part. To go on where the bytes broke
    off, and to start again where those of an earlier attempt are at fault, is ours.

    Raises:
        _Refused: The server does not have the file, or has another one.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import MaxRetryError, ProtocolError
    from urllib3.util import Retry

    patience = fresh = Retry(
        total=ATTEMPTS - 1,
        backoff_factor=BACKOFF,
        status_forcelist=BUSY,
        raise_on_status=False,  # the last answer says more than "too many error responses"
    )
    best = _size(part)
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=fresh))
        while True:
            resumed = _size(part) > 0
            try:
                _transfer(session, url, archive, part)
                _check(part, archive)
                return
            except _OtherFile:
                part.unlink(missing_ok=True)
                if not resumed:
                    raise
            except _BrokenOff as fault:
                if _size(part) > best:
                    best, patience = _size(part), fresh
                try:
                    patience = patience.increment("GET", url, error=ProtocolError(str(fault)))
                except MaxRetryError:
                    raise _Refused(f"{fault} ({ATTEMPTS} attempts)") from None
                patience.sleep()


def _transfer(session: "requests.Session", url: str, archive: Archive, part: Path) -> None:
    """Append the missing bytes to ``part``.

    Raises:
        _BrokenOff: The connection broke.
        _Refused: The server cannot be reached, stays busy, or does not have the file.
    """
    from requests import RequestException

    headers = {"Accept-Encoding": "identity"}
    if kept := _size(part):
        headers["Range"] = f"bytes={kept}-"
    try:
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except RequestException as error:
        raise _Refused(f"cannot be reached ({type(error).__name__})") from None
    with response:
        status = response.status_code
        if status == 416:  # no byte after those at hand: they are all there, or wrong
            total = response.headers.get("Content-Range", "").rpartition("/")[2]
            if total != str(kept):
                part.unlink(missing_ok=True)
                raise _BrokenOff(f"has a file of {total or 'another number of'} bytes")
            return
        if status >= 400:
            tried = f" ({ATTEMPTS} attempts)" if status in BUSY else ""
            raise _Refused(f"answered {status} {response.reason}{tried}")
        if status != 206:  # no support for Range: it sends all bytes again
            part.unlink(missing_ok=True)
        try:
            _receive(response, archive, part)
        except RequestException as error:
            raise _BrokenOff(f"broke off ({type(error).__name__})") from None


def _receive(response: "requests.Response", archive: Archive, part: Path) -> None:
    chunks = response.iter_content(CHUNK)
    kept = _size(part)
    if kept == 0:
        first = next(chunks, b"")
        _refuse_other_format(first[:512], archive)
        chunks = chain([first], chunks)
    length = response.headers.get("Content-Length")
    total = kept + int(length) if length else archive.size
    if archive.size is not None and total != archive.size:
        raise _Refused(f"has {total} bytes where {archive.size} are expected")
    need_space(part.parent, (total or 0) - kept, archive.filename)
    bar = tqdm(
        desc=archive.filename, total=total, initial=kept, unit="B", unit_scale=True, leave=False,
        disable=None,
    )  # fmt: skip
    with bar, part.open("ab") as file:
        for chunk in chunks:
            bar.update(file.write(chunk))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _check(path: Path, archive: Archive) -> None:
    """Compare a whole file with the spec.

    Raises:
        _OtherFile: It is a web page, or has another format, size or checksum.
    """
    with path.open("rb") as file:
        _refuse_other_format(file.read(512), archive)
    if archive.size is not None and _size(path) != archive.size:
        raise _OtherFile(f"has {_size(path)} bytes where {archive.size} are expected")
    if archive.checksum is not None:
        kind, _, expected = archive.checksum.partition(":")
        found = hash_file(path, kind, progress=True)
        if found != expected:
            raise _OtherFile(f"has {kind} {found} where {expected} is expected")


def _refuse_other_format(head: bytes, archive: Archive) -> None:
    """Refuse what is not the archive's format, a saved web page first of all."""
    suffix = Path(archive.filename).suffix.lower()
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")) and suffix != ".html":
        raise _OtherFile(f"gave a web page, not {archive.filename} (a log-in, quota or error page)")
    if suffix in MAGIC and not head.startswith(MAGIC[suffix]):
        raise _OtherFile(f"gave a file that is no {suffix} (it starts with {head[:8]!r})")
