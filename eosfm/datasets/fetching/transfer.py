"""The bytes of one file from one server: asked for, and gone on with where they broke off."""

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
"""Answers that may be another one later."""


class Again(Exception):
    """The server is to be asked once more, if it is worth it.

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

    A server that has another version of the file than the one that the first bytes are of is asked
    for all of it. Without a name of the version a checksum must decide in the end; where there is
    none either, bytes of an earlier attempt count for nothing.

    Args:
        session: Holds the connections.
        archive: What to ask for.
        part: Where the bytes go.
        traffic: Counts them.
        limit: Bytes at which a file is larger than any that could be meant.

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
    """Whether no byte follows those at hand; whatever is no file is refused."""
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
    """Bytes of the whole file, if anybody says so; what cannot be it is refused unread.

    What is refused here costs none of the bytes at hand.
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
    """Make the bytes at hand those that come before the first that is sent now."""
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
