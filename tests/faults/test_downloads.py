"""What servers do wrong: nothing wrong is accepted, nothing good is lost, nobody has to help.

Each case says what is broken, the line that must come (none where the download goes on by itself),
and how many bytes must still be there to go on with. Afterwards the server is mended, and a plain
second run must bring the right file.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching import download, transfer
from eosfm.datasets.fetching.fetch import fetch
from eosfm.datasets.native.spec import Archive, Source
from tests.fixtures.server import RIGHT, Fault, Server

BYTES = b"PK\x03\x04" + bytes(range(256)) * 40
OTHER = BYTES[:-1] + b"?"
HALF = len(BYTES) // 2
PAGE = b"<!DOCTYPE html><title>Quota exceeded</title>" + b"<p>later</p>" * 99
HTML = {"Content-Type": "text/html; charset=utf-8"}
CHUNKED = {"Transfer-Encoding": "chunked", "Content-Length": None}


@dataclass(frozen=True)
class Case:
    """One way in which a download goes wrong.

    Attributes:
        name: What is broken.
        faults: Of the first, second, ... answer.
        line: What the error says; None where the right file comes in the same run.
        kept: Bytes that are there afterwards, to go on with.
        before: Files below the dataset's folder when the run starts.
        archive: What the spec says otherwise.
        asked: Number of requests of the first run, where it matters.
    """

    name: str
    faults: Iterable[Fault] = ()
    line: str | None = None
    kept: int = 0
    before: dict[str, bytes] = field(default_factory=dict)
    archive: dict[str, object] = field(default_factory=dict)
    asked: int | None = None


def sent(content_range: str | None, **options) -> list[Fault]:
    """A connection that breaks, then bytes that say of themselves where they belong."""
    return [Fault(cut=HALF), Fault(headers={"Content-Range": content_range}, **options)]


REST = f"bytes {HALF}-{len(BYTES) - 1}/{len(BYTES)}"
NOTE = b'{"url": "http://elsewhere/a.zip", "version": "\\"1\\""}'
CUTS = [
    Case("cut in the middle", [Fault(cut=HALF)], asked=2),
    Case("cut after the first byte", [Fault(cut=1)], asked=2),
    Case("cut before the first byte", [Fault(cut=0)], asked=2),
    Case("cut every hundred bytes", repeat(Fault(cut=100), 100), asked=101),
    Case(
        "cut in the middle, then nothing", chain([Fault(cut=HALF)], repeat(Fault(cut=0))),
        r"broke off .*\(5 attempts\); run again to go on", kept=HALF, asked=5,
    ),
]  # fmt: skip
RESETS = [
    Case("reset in the middle", [Fault(cut=HALF, reset=True)]),
    Case("reset before a byte, again and again", repeat(Fault(cut=0, reset=True)), r"5 attempts"),
    Case(
        "nobody there", line=r"127.0.0.1:9 cannot be reached \(ConnectionError\) \(5 attempts\)",
        archive={"url": "http://127.0.0.1:9/a.zip"},
    ),
]  # fmt: skip
STALLS = [
    Case("stall in the middle", [Fault(cut=HALF, stall=1)], asked=2),
    Case("stall before the first byte", [Fault(cut=0, stall=1)], asked=2),
    Case("stall for ever", repeat(Fault(cut=0, stall=1)), r"broke off \(\w+\) \(5 attempts\)"),
]  # fmt: skip
BUSY = [
    *(Case(f"{status} three times", [Fault(status)] * 3, asked=4) for status in transfer.BUSY),
    Case("busy for ever", repeat(Fault(503)), r"answered 503 .*\(5 attempts\)", asked=5),
    Case(
        "busy for ever, half there", chain([Fault(cut=HALF)], repeat(Fault(429))),
        r"answered 429 .*\(5 attempts\); run again to go on where it stopped", kept=HALF,
    ),
    Case("wait a moment", [Fault(429, {"Retry-After": "0"})], asked=2),
    Case("wait until last century", [Fault(503, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"})]),
    Case("wait for nonsense", [Fault(503, {"Retry-After": "tea"})], asked=2),
]  # fmt: skip
REFUSED = [
    *(
        Case(f"{status} at once", [Fault(status)], rf"answered {status} ", asked=1)
        for status in (204, 400, 401, 403, 404, 410, 451, 501)
    ),
]  # fmt: skip
MOVED = [
    Case("moved", [Fault(302, {"Location": "/a.zip?moved"})], asked=2),
    Case("moved in a circle", repeat(Fault(302, {"Location": "/a.zip"})), r"TooManyRedirects"),
    Case("moved to a local file", [Fault(302, {"Location": "file:///etc/passwd"})], r"InvalidSche"),
    Case(
        "moved to nobody", repeat(Fault(301, {"Location": "http://127.0.0.1:9/"})), r"be reached"
    ),
]  # fmt: skip
LENGTHS = [
    Case("length too large", [Fault(headers={"Content-Length": str(len(BYTES) + 9)})], asked=2),
    Case(
        "length too small", [Fault(headers={"Content-Length": str(HALF)})],
        r"has sha256 \w+ where \w+ is expected",
    ),
    Case(
        "length too small, and known", [Fault(headers={"Content-Length": str(HALF)})],
        rf"has {HALF} bytes where {len(BYTES)} are expected", archive={"size": len(BYTES)},
    ),
    Case("length that is no number", [Fault(headers={"Content-Length": "many"})], asked=1),
    Case("no length, and cut", [Fault(headers={"Content-Length": None}, cut=HALF)], r"has sha256"),
    Case(
        "no length, and cut, yet known", [Fault(headers={"Content-Length": None}, cut=HALF)],
        archive={"size": len(BYTES)}, asked=2,
    ),
    Case(
        "no length, no checksum", [Fault(headers={"Content-Length": None}, cut=HALF)],
        r"does not say how long the file is", archive={"checksum": None},
    ),
    Case(
        "no end", [Fault(headers={"Content-Length": None}, body=bytes(5_000_000))],
        r"sent more than the 1\d+ bytes that are expected", archive={"filename": "a.bin"},
    ),
    Case(
        "chunks, and cut", [Fault(headers=CHUNKED, body=b"200\r\n" + BYTES[:300])], asked=2
    ),
    Case("chunks that are none", [Fault(headers=CHUNKED, body=b"zip\r\n" + BYTES)], asked=2),
    Case("larger than any", [Fault(headers={"Content-Length": "9" * 15})], r"at most .* expected"),
]  # fmt: skip
RANGES = [
    Case("no ranges", [Fault(cut=HALF), Fault(ranges=False)], asked=2),
    Case("range without a name", sent(None)),
    Case("range of nonsense", sent("bytes a-b/c")),
    Case("range from the start", sent(f"bytes 0-{len(BYTES) - 1}/{len(BYTES)}", body=BYTES)),
    Case("range one byte on", sent(REST.replace(str(HALF), str(HALF + 1)), body=BYTES[HALF + 1 :])),
    Case("range of a larger file", sent(REST.replace(str(len(BYTES)), "99999"))),
    Case("right range, wrong bytes", sent(REST, body=bytes(len(BYTES) - HALF))),
    Case(
        "other version meanwhile", [Fault(headers={"ETag": '"1"'}, body=OTHER, cut=HALF)], asked=2
    ),
    Case(
        "other version in the rest",
        [Fault(cut=HALF), Fault(headers={"ETag": '"2"'}, body=OTHER[HALF:])], asked=3,
    ),
    Case("other version, no checksum", sent(REST), archive={"checksum": None}, asked=2),
    Case(
        "versions not told, no checksum", [Fault(cut=HALF, headers={"ETag": None}), RIGHT],
        archive={"checksum": None}, asked=2,
    ),
]  # fmt: skip
CONTENTS = [
    Case("wrong bytes", [Fault(body=OTHER)], r"has sha256 \w+ where \w+ is expected", asked=1),
    Case("other format", [Fault(body=b"7z\xbc\xaf" * 200)], r"gave a file that is no .zip"),
    Case("nothing", [Fault(body=b"")], r"is empty", archive={"checksum": None}),
    Case("squeezed on the way", [Fault(headers={"Content-Encoding": "gzip"})], r"sends gzip where"),
]  # fmt: skip
PAGES = [
    Case("web page", [Fault(body=PAGE)], r"gave a web page, not a.zip"),
    Case(
        "web page for a list", [Fault(body=PAGE)], r"gave a web page",
        archive={"filename": "a.txt", "checksum": None},
    ),
    Case("web page for the rest", [Fault(cut=HALF), Fault(body=PAGE)], asked=4),
    Case(
        "web page in place of the rest", [Fault(cut=HALF), Fault(200, HTML, PAGE)],
        r"gave a web page in place of the bytes that are missing", kept=HALF, asked=2,
    ),
    Case(
        "web page as unavailable", [Fault(cut=HALF), *[Fault(503, HTML, PAGE)] * 2], asked=4,
    ),
]  # fmt: skip
LEFT = [
    Case("part of this file", before={"a.zip.part": BYTES[:HALF]}, asked=1),
    Case("part that is whole", before={"a.zip.part": BYTES}, asked=1),
    Case("part of another file", before={"a.zip.part": OTHER}, asked=2),
    Case("part that is too long", before={"a.zip.part": BYTES + b"?"}, asked=2),
    Case(
        "part of another server, no checksum", archive={"checksum": None}, asked=1,
        before={"a.zip.part": OTHER[:HALF], "a.zip.part.json": NOTE},
    ),
    Case("note that is none", before={"a.zip.part": BYTES[:9], "a.zip.part.json": b"[{"}, asked=1),
    Case("file not yet checked, good", before={"a.zip": BYTES, "a.zip.part.json": NOTE}, asked=0),
    Case("file not yet checked, bad", before={"a.zip": OTHER, "a.zip.part.json": NOTE}, asked=1),
    Case("file put there by hand", before={"a.zip": BYTES}, asked=0),
    Case("record that is cut", before={".fetched/a.zip.gz": b"\x1f\x8b\x08\x00"}, asked=1),
    Case("record that is none", before={".fetched/a.zip.gz": b"{}"}, asked=1),
]  # fmt: skip
KINDS = {
    "cut": CUTS, "reset, or nobody there": RESETS, "stalls": STALLS,
    "429, 503 and others that pass": BUSY, "404 and others that stay": REFUSED,
    "redirects": MOVED, "lies about length": LENGTHS, "wrong ranges and versions": RANGES,
    "wrong bytes": CONTENTS, "web pages": PAGES, "left by earlier runs": LEFT,
}  # fmt: skip
CASES = [*chain.from_iterable(KINDS.values())]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "BACKOFF", 0.0)
    monkeypatch.setattr(transfer, "TIMEOUT", (0.3, 0.3))
    monkeypatch.setattr("eosfm.datasets.fetching.fetch.GB", 1_000_000)
    monkeypatch.setattr("eosfm.datasets.native.contents.CLOCK_TICK", 0.02)


def dataset(*archives: Archive) -> SimpleNamespace:
    source = Source("https://example.org", "CC0", "Nobody 2020", 0.1, archives)
    return SimpleNamespace(name="toy", source=source)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_downloads(case: Case, server: Server, tmp_path: Path):
    archive = server.describe(BYTES, **{"filename": "a.zip", "extract": None} | case.archive)
    root, trusted = tmp_path / "toy", tmp_path / "trusted"
    for name, content in case.before.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    server.faults["/a.zip"] = case.faults
    if case.line is None:
        fetch(dataset(archive), root, trusted=trusted)
    else:
        with pytest.raises(EosfmError, match=case.line) as caught:
            fetch(dataset(archive), root, trusted=trusted)
        assert "\n" not in str(caught.value) and re.match("toy: ", str(caught.value))
        part = root / f"{archive.filename}.part"
        assert (part.stat().st_size if part.exists() else 0) == case.kept
        assert not (root / archive.filename).exists() and not files(root).keys() & {".fetched"}
    if case.asked is not None:
        assert len(server.asked) == case.asked
    server.faults.clear()
    server.asked.clear()
    mended = Archive(**vars(archive) | {"url": f"{server.url}/a.zip"})
    fetch(dataset(mended), root, trusted=trusted)
    assert files(root).keys() == {archive.filename, f".fetched/{archive.filename}.gz"}
    assert (root / archive.filename).read_bytes() == BYTES
    if case.kept:
        assert server.asked == [("/a.zip", f"bytes={case.kept}-")]
    assert trusted.exists() == (archive.checksum is None)


def test_there_are_many():
    """As many as `pytest -s tests/faults/test_downloads.py -k many` prints."""
    print(*(f"{len(cases)} {kind}" for kind, cases in KINDS.items()), sep="\n")
    print(f"{len(CASES)} faults of a server")
    assert len(CASES) >= 40 and len({case.name for case in CASES}) == len(CASES)
