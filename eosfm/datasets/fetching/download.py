"""Downloading of one file: resumed, checked, and given its name.

``<file>.part`` is a download under way (see :mod:`eosfm.datasets.fetching.part`).
"""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.part import Part
from eosfm.datasets.fetching.traffic import Traffic
from eosfm.datasets.fetching.transfer import Again, transfer
from eosfm.datasets.fetching.verify import OtherFile, Refused, verify
from eosfm.datasets.native.spec import Archive

if TYPE_CHECKING:
    from urllib3.util import Retry

ATTEMPTS = 5
"""Attempts before a server that brings no new byte is given up."""
BACKOFF = 1.0
"""urllib3's backoff factor: of attempts in a row, the second waits 0 s, the others 2, 4, 8 s."""
LONGEST_WAIT = 600
"""Longest wait in seconds, even where a server asks for more."""


def download(archive: Archive, root: Path, traffic: Traffic, limit: int) -> Path:
    """Download one archive to ``root/filename``, resuming an earlier attempt.

    An existing file of that name (put there by hand) is verified and kept. No other process may
    write below ``root`` meanwhile.

    Args:
        archive: What to download.
        root: Folder of the dataset's files.
        traffic: Counts the bytes.
        limit: Bytes that the file may have at most.

    Raises:
        EosfmError: Its server did not give the file described, or the disk is too small.
        OSError: The disk is full, or may not be written to.
        Stopped: The run was stopped.
    """
    part = Part(root / archive.filename)
    part.target.parent.mkdir(parents=True, exist_ok=True)
    if part.target.exists() and _is_good(part, archive):
        return part.target
    traffic.skip(part.size)
    try:
        _download(archive, part, traffic, limit)
    except Refused as fault:
        if not part.size:
            part.drop()
        raise EosfmError(
            f"{archive.filename} could not be fetched: {urlsplit(archive.url).netloc} {fault}; run "
            f"again to go on where it stopped, or put the file at {part.target}"
        ) from None
    return part.target


def _is_good(part: Part, archive: Archive) -> bool:
    """Whether an existing file is the one described; a failed download is removed.

    Raises:
        EosfmError: A file that was put there by hand is another one.
    """
    try:
        verify(part.target, archive)
    except OtherFile as fault:
        if not part.note.exists():
            raise EosfmError(f"{part.target} {fault}; delete it to fetch it again") from None
        part.target.unlink()
        part.drop()
        return False
    part.note.unlink(missing_ok=True)
    return True


def _download(archive: Archive, part: Part, traffic: Traffic, limit: int) -> None:
    """Fetch a file, as long as its server brings bytes.

    Raises:
        Refused: The server does not have the file, or has another one.
    """
    import requests
    from urllib3.exceptions import MaxRetryError, ProtocolError
    from urllib3.util import Retry

    patience = fresh = Retry(ATTEMPTS - 1, backoff_factor=BACKOFF)
    best = part.size
    with requests.Session() as session:
        while True:
            resumed = part.size > 0
            try:
                transfer(session, archive, part, traffic, limit)
                verify(part.path, archive)
                part.finish()
                return
            except OtherFile:
                traffic.skip(-part.drop())
                if not resumed:
                    raise
            except Again as fault:
                if part.size > best:
                    best, patience = part.size, fresh
                try:
                    error = ProtocolError(str(fault))
                    patience = patience.increment("GET", archive.url, error=error)
                except MaxRetryError:
                    raise Refused(f"{fault} ({ATTEMPTS} attempts)") from None
                traffic.wait(max(patience.get_backoff_time(), _asked_wait(patience, fault.after)))


def _asked_wait(patience: "Retry", after: str | None) -> float:
    """Seconds that a server asks to wait, by number or date; 0 for what is neither."""
    from urllib3.exceptions import InvalidHeader

    try:
        return min(patience.parse_retry_after(after), LONGEST_WAIT) if after else 0.0
    except InvalidHeader:
        return 0.0
