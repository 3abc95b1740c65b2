"""Transfer of one file from one server, resumed where it broke off."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from eosfm.datasets.fetching.part import Part
from eosfm.datasets.fetching.traffic import Traffic
from eosfm.datasets.fetching.unpack import need_space
from eosfm.datasets.fetching.verify import HEAD, Refused, refuse_other_format
from eosfm.datasets.native.spec import Archive

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 18
TIMEOUT = (20, 60)
"""Seconds to connect, and between two bytes."""
BUSY = (408, 425, 429, 500, 502, 503, 504)
"""HTTP status codes that are worth another attempt."""


class Again(Exception):
    """An attempt failed in a way that may pass: the server may be asked again.

    Attributes:
        after: The header ``Retry-After`` of its answer, if it had one.
    """

    def __init__(self, text: str, after: str | None = None) -> None:
        super().__init__(text)
        self.after = after


def transfer(
    session: "requests.Session", archive: Archive, part: Part, traffic: Traffic, limit: int
) -> None:
    """Append the missing bytes to ``part``.

    If the server's version of the file differs from that of the part, it sends the whole file.
    Without a version, the checksum decides in the end; without either, an earlier part is dropped.

    Args:
        session: Holds the connections.
        archive: What to ask for.
        part: Where the bytes go.
        traffic: Counts them.
        limit: Bytes that the file may have at most.

    Raises:
        Again: The server was busy or away, broke off, or sent other bytes than asked for.
        Refused: It does not have the file, or has another one.
    """
    from requests import ConnectionError, RequestException, Timeout

    version = part.version(archive.url)
    if version is None and archive.checksum is None:
        traffic.skip(-part.drop())
    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if version is not None:
            headers["If-Range"] = version
    try:
        response = session.get(archive.url, headers=headers, stream=True, timeout=TIMEOUT)
    except (ConnectionError, Timeout) as error:
        raise Again(f"cannot be reached ({type(error).__name__})") from None
    except RequestException as error:
        raise Refused(f"cannot be asked ({type(error).__name__})") from None
    with traffic.reading(response):
        if _is_whole(response, part, traffic):
            return
        total = _total(response, archive, part, limit)
        _begin(response, archive.url, part, traffic)
        if total is not None:
            traffic.expect(archive.filename, total)
            need_space(part.path.parent, total - part.size, archive.filename)
        _receive(response, archive, part, traffic, limit)
        if total is not None and part.size != total:
            raise Again(f"broke off after {part.size} of {total} bytes")


def _is_whole(response: "requests.Response", part: Part, traffic: Traffic) -> bool:
    """Whether the part is complete already; refuses a response that is not the file."""
    status = response.status_code
    if status == 416:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if total == str(part.size):
            return True
        traffic.skip(-part.drop())
        raise Again(f"has a file of {total or 'another number of'} bytes")
    if status in BUSY:
        raise Again(f"answered {status} {response.reason}", response.headers.get("Retry-After"))
    if status not in (200, 206):
        raise Refused(f"answered {status} {response.reason}")
    if (encoding := response.headers.get("Content-Encoding", "identity")) != "identity":
        raise Refused(f"sends {encoding} where the file's own bytes are expected")
    return False


def _total(response: "requests.Response", archive: Archive, part: Part, limit: int) -> int | None:
    """Size of the whole file, if known; refuses a response that cannot be it.

    Refusing it here, unread, keeps the bytes of the part.
    """
    length = response.headers.get("Content-Length", "")
    total = archive.size
    if response.status_code == 206:
        told = _sent(response)[1]
        total = total if told is None else told
    elif length.isdecimal():
        total = int(length)
    if total is None and archive.checksum is None and "Transfer-Encoding" not in response.headers:
        raise Refused("does not say how long the file is, and no checksum does")
    if total is not None and (total > limit or archive.size not in (None, total)):
        expected = archive.size or f"at most {limit}"
        raise Refused(f"has {total} bytes where {expected} are expected")
    page = response.headers.get("Content-Type", "").startswith("text/html")
    if page and part.size and response.status_code == 200:
        raise Refused("gave a web page in place of the bytes that are missing")
    return total


def _begin(response: "requests.Response", url: str, part: Part, traffic: Traffic) -> None:
    """Make sure that the response continues the part, else drop the part."""
    version = _version(response)
    known = part.version(url)
    if response.status_code == 206:
        first, _ = _sent(response)
        if first != part.size or (known and version not in (None, known)):
            traffic.skip(-part.drop())
            raise Again("sent other bytes than those asked for")
    else:  # all bytes, asked for or not
        traffic.skip(-part.drop())
    if not part.size:
        part.start(url, version)


def _sent(response: "requests.Response") -> tuple[int | None, int | None]:
    """The first byte of a part that is sent, and the bytes of the whole, where it is told."""
    told = response.headers.get("Content-Range", "")
    found = re.fullmatch(r"\s*bytes (\d+)-\d+/(\d+|\*)\s*", told)
    if found is None:
        return None, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _version(response: "requests.Response") -> str | None:
    """What an If-Range may hold: a strong ETag, or a date."""
    tag = response.headers.get("ETag")
    return tag if tag and tag.startswith('"') else response.headers.get("Last-Modified")


def _receive(
    response: "requests.Response", archive: Archive, part: Part, traffic: Traffic, limit: int
) -> None:
    """Write each byte that comes when it comes: servers are known that break off every megabyte."""
    size = part.size
    with part.path.open("ab") as file:
        for chunk in _read(response):
            file.write(chunk)
            traffic.receive(len(chunk))
            if size < HEAD:
                file.flush()
                if size + len(chunk) >= HEAD:
                    refuse_other_format(part.path, archive)
            size += len(chunk)
            if size > limit:
                traffic.skip(-part.drop())
                raise Refused(f"sent more than the {limit} bytes that are expected at most")
            traffic.wait(0)


def _read(response: "requests.Response") -> Iterator[bytes]:
    from urllib3.exceptions import HTTPError

    while True:
        try:
            chunk = response.raw.read1(CHUNK, decode_content=False)
        except (HTTPError, OSError) as error:
            raise Again(f"broke off ({type(error).__name__})") from None
        if not chunk:
            return
        yield chunk
