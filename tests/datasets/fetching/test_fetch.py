"""Downloading, against a server on this machine."""

import hashlib
import io
import re
import subprocess
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching import download as module
from eosfm.datasets.fetching.download import download
from eosfm.datasets.fetching.fetch import fetch
from eosfm.datasets.native.spec import Archive, Source


@dataclass
class Server:
    """What the server does with each path, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    cut_after: dict[str, list[int]] = field(default_factory=dict)  # bytes sent before each cut
    busy: dict[str, int] = field(default_factory=dict)  # answers of 503 before it serves
    retry_after: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def count(self) -> Counter[str]:
        return Counter(path for path, _ in self.asked)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            if state.busy.get(self.path, 0) > 0:
                state.busy[self.path] -= 1
                self.send_response(503)
                if state.retry_after:
                    self.send_header("Retry-After", state.retry_after)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if self.path not in state.files:
                self.send_error(404)
                return
            content = state.files[self.path]
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and state.ranges else 0
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = content[start:]
            self.send_response(206 if wanted and state.ranges else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cuts = state.cut_after.get(self.path)
            self.wfile.write(body[: cuts.pop(0)] if cuts else body)
            self.close_connection = True

        def log_message(self, *args):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{running.server_port}"
    yield state
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF", 0.0)
    monkeypatch.setattr(module, "CHUNK", 1000)


BYTES = b"PK\x03\x04" + bytes(range(256)) * 100


def describe(server: Server, path: str = "/a.zip", content: bytes = BYTES, **options) -> Archive:
    server.files[path] = content
    checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Archive(
        **{"url": server.url + path, "filename": "a.zip", "checksum": checksum} | options
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def dataset(*archives: Archive, manual: str | None = None):
    source = Source("https://example.org/home", "CC0", "Nobody 2020", 0.1, archives, manual=manual)
    return SimpleNamespace(name="toy", title="Toy", source=source)


def test_downloads_and_checks(server: Server, tmp_path: Path):
    assert download(describe(server), tmp_path).read_bytes() == BYTES
    assert contents(tmp_path) == {"a.zip": BYTES}


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_checksum_kinds(server: Server, tmp_path: Path, kind: str):
    checksum = f"{kind}:{hashlib.new(kind, BYTES).hexdigest()}"
    download(describe(server, checksum=checksum), tmp_path)


def test_cut_connections_are_resumed(server: Server, tmp_path: Path):
    server.cut_after["/a.zip"] = [5000, 7000, 3000]
    assert download(describe(server), tmp_path).read_bytes() == BYTES
    starts = [wanted for _, wanted in server.asked]
    assert starts[0] is None and len(starts) == 4
    offsets = [int(re.findall(r"\d+", wanted)[0]) for wanted in starts[1:]]
    assert offsets == sorted(offsets) and offsets[0] > 0 and offsets[-1] <= 15000


def test_goes_on_after_an_interrupted_run(server: Server, tmp_path: Path):
    (tmp_path / "a.zip.part").write_bytes(BYTES[:9000])
    assert download(describe(server), tmp_path).read_bytes() == BYTES
    assert server.asked == [("/a.zip", "bytes=9000-")]


def test_complete_part_is_only_checked(server: Server, tmp_path: Path):
    (tmp_path / "a.zip.part").write_bytes(BYTES)
    assert download(describe(server), tmp_path).read_bytes() == BYTES


@pytest.mark.parametrize("stale", [b"PK\x03\x04 something else", b"x" * (len(BYTES) + 5)])
def test_stale_part_is_dropped(server: Server, tmp_path: Path, stale: bytes):
    (tmp_path / "a.zip.part").write_bytes(stale)
    assert download(describe(server), tmp_path).read_bytes() == BYTES


def test_server_without_ranges_starts_again(server: Server, tmp_path: Path):
    server.ranges = False
    server.cut_after["/a.zip"] = [5000]
    assert download(describe(server), tmp_path).read_bytes() == BYTES
    assert server.count["/a.zip"] == 2


def test_busy_server_is_asked_again(server: Server, tmp_path: Path):
    server.busy["/a.zip"] = 3
    assert download(describe(server), tmp_path).read_bytes() == BYTES


def test_the_wait_that_a_server_asks_for_is_kept(server: Server, tmp_path: Path, monkeypatch):
    waits = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)
    server.busy["/a.zip"], server.retry_after = 2, "7"
    assert download(describe(server), tmp_path).read_bytes() == BYTES
    assert waits == [7, 7]


def test_a_server_that_breaks_off_without_a_byte_is_given_up(server: Server, tmp_path: Path):
    server.cut_after["/a.zip"] = [5000] + [0] * 99
    with pytest.raises(EosfmError, match=r"broke off \(\w+\) \(5 attempts\); run again"):
        download(describe(server), tmp_path)
    assert server.count["/a.zip"] == 5
    assert (tmp_path / "a.zip.part").stat().st_size <= 5000


def test_server_that_stays_busy_is_given_up(server: Server, tmp_path: Path):
    server.busy["/a.zip"] = 99
    with pytest.raises(EosfmError, match=r"answered 503 .*\(5 attempts\)"):
        download(describe(server), tmp_path)
    assert server.count["/a.zip"] == 5


def test_missing_file_is_not_asked_twice(server: Server, tmp_path: Path):
    archive = replace(describe(server), url=f"{server.url}/gone.zip")
    with pytest.raises(EosfmError, match=r"a.zip could not be fetched: .*answered 404"):
        download(archive, tmp_path)
    assert server.count == {"/gone.zip": 1}


def test_mirror_steps_in(server: Server, tmp_path: Path):
    archive = describe(server, "/mirror/a.zip")
    archive = replace(archive, url=f"{server.url}/gone.zip", mirrors=(archive.url,))
    assert download(archive, tmp_path).read_bytes() == BYTES


def test_mirror_steps_in_for_a_wrong_file(server: Server, tmp_path: Path):
    good = describe(server, "/mirror/a.zip")
    server.files["/a.zip"] = BYTES[:-1] + b"?"
    archive = replace(good, url=f"{server.url}/a.zip", mirrors=(good.url,))
    assert download(archive, tmp_path).read_bytes() == BYTES


def test_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path):
    archive = describe(server, checksum="md5:0123")
    with pytest.raises(EosfmError, match=r"has md5 \w+ where 0123 is expected"):
        download(archive, tmp_path)
    assert contents(tmp_path) == {}


def test_wrong_size_is_refused_before_the_download(server: Server, tmp_path: Path):
    with pytest.raises(EosfmError, match=rf"has {len(BYTES)} bytes where 77 are expected"):
        download(describe(server, size=77), tmp_path)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><p>quota", b"\n <html><body>log in"])
def test_web_page_saved_as_zip_is_refused(server: Server, tmp_path: Path, page: bytes):
    with pytest.raises(EosfmError, match=r"gave a web page, not a.zip") as caught:
        download(describe(server, content=page, checksum=None), tmp_path)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == {}


def test_other_format_is_refused(server: Server, tmp_path: Path):
    with pytest.raises(EosfmError, match=r"is no .zip"):
        download(describe(server, content=b"hello", checksum=None), tmp_path)


def test_file_put_there_by_hand_is_checked_and_kept(server: Server, tmp_path: Path):
    archive = describe(server)
    (tmp_path / "a.zip").write_bytes(BYTES)
    download(archive, tmp_path)
    (tmp_path / "a.zip").write_bytes(BYTES + b"?")
    with pytest.raises(EosfmError, match="delete it to fetch it again"):
        download(archive, tmp_path)
    assert server.asked == []


def test_unreachable_server_is_one_line(server: Server, tmp_path: Path):
    archive = replace(describe(server), url="http://127.0.0.1:9/a.zip")
    with pytest.raises(EosfmError, match=r"127.0.0.1:9 cannot be reached"):
        download(archive, tmp_path)


def test_full_disk_is_said_before_the_download(server, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(EosfmError, match="free; make room"):
        download(describe(server), tmp_path)


FILES = {"data/a.txt": b"one", "data/deep/b.txt": b"two"}


@pytest.fixture
def zipped(server: Server) -> Archive:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return describe(server, content=buffer.getvalue(), members=2)


def test_fetch_unpacks_once(server: Server, tmp_path: Path, zipped: Archive):
    root = tmp_path / "toy"
    fetch(dataset(zipped), root)
    found = contents(root)
    assert found.pop(".fetched/a.zip.gz")
    assert found == FILES
    fetch(dataset(zipped), root)
    assert server.count == {"/a.zip": 1}


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_bytes(b"other"),
        lambda path: path.write_bytes(FILES["data/a.txt"][::-1]),
    ],
)
def test_fetch_mends_what_is_missing(server: Server, tmp_path: Path, zipped: Archive, damage):
    fetch(dataset(zipped), tmp_path)
    damage(tmp_path / "data" / "a.txt")
    fetch(dataset(zipped), tmp_path)
    assert (tmp_path / "data" / "a.txt").read_bytes() == FILES["data/a.txt"]
    assert server.count == {"/a.zip": 2}


def test_fetch_keeps_what_is_not_to_be_unpacked(server: Server, tmp_path: Path):
    archive = describe(server, extract=None)
    fetch(dataset(archive), tmp_path)
    fetch(dataset(archive), tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == BYTES
    assert server.count == {"/a.zip": 1}


def test_what_a_person_must_fetch_is_said(tmp_path: Path):
    with pytest.raises(EosfmError, match=r"by a program: register .* datasets.toy.root"):
        fetch(dataset(manual="register at example.org"), tmp_path)


def test_archives_may_be_asked_for(server: Server, tmp_path: Path, zipped: Archive):
    asked = dataset()
    asked.source = replace(asked.source, archives=lambda: (zipped,))
    fetch(asked, tmp_path)
    assert (tmp_path / "data" / "a.txt").read_bytes() == FILES["data/a.txt"]


def by_torchgeo(run) -> SimpleNamespace:
    found = dataset()
    found.source = replace(found.source, download=run)
    return found


def test_torchgeo_downloads_once_and_goes_on_where_it_stopped(tmp_path: Path):
    calls = []

    def run(root: Path) -> None:
        calls.append(sorted(path.name for path in root.glob("*.tif")))
        (root / f"{len(calls)}.tif").write_bytes(b"pixels")
        if len(calls) == 1:
            raise subprocess.CalledProcessError(1, ("/usr/bin/azcopy", "sync"))

    with pytest.raises(EosfmError, match=r"toy: azcopy ended with status 1; .* run again"):
        fetch(by_torchgeo(run), tmp_path)
    fetch(by_torchgeo(run), tmp_path)
    fetch(by_torchgeo(run), tmp_path)
    assert calls == [[], ["1.tif"]]
    (tmp_path / "1.tif").write_bytes(b"slexip")
    fetch(by_torchgeo(run), tmp_path)
    assert len(calls) == 3


def test_a_program_that_torchgeo_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from torchgeo.datasets import CloudCoverDetection

    monkeypatch.setenv("PATH", "")
    with pytest.raises(EosfmError, match=r"azcopy is not installed .*; put it on the PATH"):
        fetch(by_torchgeo(lambda root: CloudCoverDetection(root, download=True)), tmp_path)
