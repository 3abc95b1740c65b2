"""Downloading, against a server on this machine; what servers do wrong is in tests/faults."""

import hashlib
import io
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching import download as module
from eosfm.datasets.fetching import fetch as fetching
from eosfm.datasets.fetching.traffic import Traffic
from eosfm.datasets.native.spec import Archive, Source
from tests.fixtures.server import Fault, Server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF", 0.0)


BYTES = b"PK\x03\x04" + bytes(range(256)) * 100


def describe(server: Server, path: str = "/a.zip", content: bytes = BYTES, **options) -> Archive:
    return server.describe(content, path, **options)


def download(archive: Archive, root: Path) -> Path:
    with Traffic("toy", {archive.filename: 0}) as traffic:
        return module.download(archive, root, traffic, limit=10**6)


def fetch(dataset, root: Path) -> None:
    fetching.fetch(dataset, root, trusted=root.with_name("trusted"))


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


def test_the_wait_that_a_server_asks_for_is_kept(server: Server, tmp_path: Path, monkeypatch):
    waits = []
    monkeypatch.setattr(Traffic, "wait", lambda traffic, seconds: waits.append(seconds))
    asked = ("7", "86400", "Thu, 01 Jan 1970 00:00:00 GMT", "soon")
    server.faults["/a.zip"] = [Fault(429, {"Retry-After": text}) for text in asked]
    assert download(describe(server), tmp_path).read_bytes() == BYTES
    assert [seconds for seconds in waits if seconds] == [7, module.LONGEST_WAIT]


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


def test_file_put_there_by_hand_is_checked_and_kept(server: Server, tmp_path: Path):
    archive = describe(server)
    (tmp_path / "a.zip").write_bytes(BYTES)
    download(archive, tmp_path)
    (tmp_path / "a.zip").write_bytes(BYTES + b"?")
    with pytest.raises(EosfmError, match="delete it to fetch it again"):
        download(archive, tmp_path)
    assert server.asked == []


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
    return describe(server, content=buffer.getvalue())


def test_fetch_unpacks_once(server: Server, tmp_path: Path, zipped: Archive):
    root = tmp_path / "toy"
    fetch(dataset(zipped), root)
    found = contents(root)
    assert found.pop(".fetched/a.zip.gz")
    found.pop(".fetched/lock", None)
    assert found == FILES
    fetch(dataset(zipped), root)
    assert server.count == {"/a.zip": 1}


def test_an_archive_stays_until_what_it_left_is_noted(
    server: Server, tmp_path: Path, zipped: Archive, monkeypatch: pytest.MonkeyPatch
):
    """A run that ends in between fetches nothing again; one that ends after leaves no archive."""

    def end(self, left, checksum):
        raise KeyboardInterrupt

    root = tmp_path / "toy"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(fetching.Record, "write", end)
        fetch(dataset(zipped), root)
    assert (root / "a.zip").exists()
    fetch(dataset(zipped), root)
    assert server.count == {"/a.zip": 1} and not (root / "a.zip").exists()
    (root / "a.zip").write_bytes(b"left")
    fetch(dataset(zipped), root)
    assert server.count == {"/a.zip": 1} and not (root / "a.zip").exists()


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
