"""Disks that are full or may not be written to, and too little memory: one line, nothing lost."""

import errno
import os
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from rasterio import CRS
from rasterio.transform import from_origin

from eosfm import cli
from eosfm.core.errors import REMEDIES, EosfmError
from eosfm.core.files import atomic, write_json
from eosfm.datasets.fetching.fetch import fetch
from eosfm.datasets.fetching.part import Part
from eosfm.prediction.geotiff import Form, writing
from eosfm.prediction.grid import Grid
from tests.faults.lines import assert_says, line_of
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


def test_folders_that_are_there_stay_as_they_are(server: Server, tmp_path: Path):
    """Only their owner may change them, who may be another of those that share them."""
    folder = tmp_path / "toy" / "data"
    folder.mkdir(parents=True)
    folder.chmod(0o2777)
    archive = server.describe(zipped(*GOOD.items()))
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert files(folder) == {name[5:]: data for name, data in GOOD.items()}
    assert folder.stat().st_mode & 0o7777 == 0o2777


@pytest.mark.parametrize("number", [number for numbers in REMEDIES for number in numbers])
def test_what_a_result_cannot_be_written_to_is_named(number: int, capsys, tmp_path: Path):
    path = tmp_path / "result.json"
    write_json(path, {"former": 1})

    def work() -> None:
        with atomic(path) as beside:
            beside.write_text("half")
            raise OSError(number, os.strerror(number))

    line = line_of(capsys, work)
    assert_says(
        line, rf"error: {path} cannot be used \({os.strerror(number)}\); .*, and run again$"
    )
    assert files(tmp_path) == {"result.json": b'{\n "former": 1\n}\n'}


def test_a_disk_that_ends_while_a_result_is_written(capsys, tmp_path: Path):
    path = tmp_path / "result.json"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        line = line_of(capsys, lambda: write_json(path, list(range(10_000))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_says(line, rf"{path} cannot be used \(File too large\); make room there, and run again")
    assert files(tmp_path) == {}


def test_of_two_places_the_line_names_where_it_was_to_go(capsys, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def work() -> None:
        with atomic("last.ckpt") as beside:
            there = str(beside.resolve())
            raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x", None, there)

    assert_says(line_of(capsys, work), "error: last.ckpt cannot be used")


def write_map(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4, (1, 600, 600), np.uint8)
    grid = Grid(600, 600, CRS.from_epsg(32633), from_origin(0, 0, 10, 10))
    form = Form("uint8", 255, ("class",), "nearest", lambda values: values)
    with writing(path, grid, form) as raster:
        raster.write(pixels)


def test_a_map_on_a_disk_that_ends_is_whole_or_a_line(tmp_path: Path):
    """GDAL itself says nothing where the last of its bytes do not fit."""
    path = tmp_path / "map.tif"
    write_map(path)
    whole, refused = path.read_bytes(), 0
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in np.linspace(0.5, 1.1, 16) * len(whole):
        path.unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), limits[1]))
        try:
            write_map(path)
        except EosfmError as error:
            refused += 1
            assert_says(str(error), f"{path} cannot be used .*; make room there, and run again")
            assert files(tmp_path) == {}
        else:
            assert path.read_bytes() == whole
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert 8 < refused < 16


def from_memory() -> None:
    try:
        bytearray(2**62)
    finally:
        raise RuntimeError("what the library did not finish")


@pytest.mark.parametrize(
    "work",
    [lambda: bytearray(2**62), lambda: torch.empty(2**50), from_memory],
    ids=["Python's", "torch's", "what comes of it"],
)
def test_memory_that_runs_out_is_a_line(work, capsys):
    assert_says(line_of(capsys, work), r"memory ran out \(\w+Error\); close other programs or take")


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        cli._finish(lambda: 1 / 0)
    with pytest.raises(FileNotFoundError):
        cli._finish(Path("nowhere").read_text)
