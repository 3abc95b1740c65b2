"""Disks that are full or may not be written to: one line, and what came is kept."""

import errno
import os
import resource
import zipfile
from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.fetch import fetch
from eosfm.datasets.fetching.part import Part
from tests.faults.test_archives import GOOD, zipped
from tests.faults.test_downloads import BYTES, dataset, files, impatient  # noqa: F401
from tests.fixtures.server import Server

NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)


def raiser(number: int):
    def raising(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number), "/some/where")

    return raising


@pytest.fixture(params=NUMBERS, ids=lambda number: errno.errorcode[number])
def broken(request, monkeypatch: pytest.MonkeyPatch):
    """``broken(target, name)``: a function that the system refuses, and what must be said."""

    def apply(target: object, name: str) -> str:
        monkeypatch.setattr(target, name, raiser(request.param))
        return os.strerror(request.param)

    return apply


def test_a_folder_that_cannot_be_made(broken, server: Server, tmp_path: Path, monkeypatch):
    archive = server.describe(BYTES)
    text = broken(Path, "mkdir")
    with pytest.raises(EosfmError, match=rf"toy: /some/where cannot be written \({text}\); make"):
        fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert files(tmp_path) == {} and server.asked == []


def test_a_disk_that_ends_while_bytes_come(server: Server, tmp_path: Path):
    archive = server.describe(BYTES, extract=None)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(EosfmError, match=r"toy: .* cannot be written \(File too large\); make"):
            fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(tmp_path)["toy/a.zip.part"] == BYTES[:5000]
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert server.asked == [("/a.zip", None), ("/a.zip", "bytes=5000-")]
    assert (tmp_path / "toy" / "a.zip").read_bytes() == BYTES


def test_a_file_that_cannot_be_given_its_name(broken, server, tmp_path: Path, monkeypatch):
    archive = server.describe(BYTES, extract=None)
    text = broken(Part, "finish")
    with pytest.raises(EosfmError, match=rf"cannot be written \({text}\); .* run again"):
        fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert files(tmp_path)["toy/a.zip.part"] == BYTES
    monkeypatch.undo()
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert server.asked == [("/a.zip", None), ("/a.zip", f"bytes={len(BYTES)}-")]
    assert (tmp_path / "toy" / "a.zip").read_bytes() == BYTES


def test_an_archive_that_cannot_be_unpacked_is_kept(broken, server, tmp_path: Path, monkeypatch):
    archive = server.describe(zipped(*GOOD.items()))
    text = broken(zipfile.ZipFile, "extract")
    with pytest.raises(EosfmError, match=rf"a.zip cannot be unpacked to .* \({text}\); .*run"):
        fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert files(tmp_path).keys() == {"toy/a.zip"}
    monkeypatch.undo()
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert files(tmp_path / "toy" / "data") == {name[5:]: data for name, data in GOOD.items()}
    assert len(server.asked) == 1


def test_what_is_there_can_be_used_by_who_may_not_write(broken, server: Server, tmp_path: Path):
    archive = server.describe(zipped(*GOOD.items()))
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    broken(Path, "mkdir")
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
