"""Whole or absent: success, failure, a killed process, two writers at a time."""

import errno
import os
import subprocess
import sys

import pytest

from eosfm.core.errors import EosfmError, line_of
from eosfm.core.files import atomic, read_json, temporary_folder, write_json


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "a" / "b.txt"
    with atomic(path) as beside:
        beside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert [file.name for file in path.parent.iterdir()] == ["b.txt"]


def test_a_folder_replaces_a_folder(tmp_path):
    for content in ("old", "new"):
        with atomic(tmp_path / "out") as beside:
            (beside / "deep").mkdir(parents=True)
            (beside / "deep" / content).write_text(content)
    assert [file.name for file in tmp_path.rglob("*")] == ["out", "deep", "new"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("folder", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path, folder, error):
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(error), atomic(path) as beside:
        if folder:
            beside.mkdir()
        (beside / "x" if folder else beside).write_text("half")
        raise error
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert path.read_text() == "old"


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "out"
    with atomic(path) as first, atomic(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second
    assert path.read_text() == "first", "the block that ends last"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_process_leaves_nothing_for_good(tmp_path):
    path = tmp_path / "out[1]"
    code = f"""
import os, signal
from eosfm.core.files import atomic
with atomic({str(path)!r}) as beside:
    beside.mkdir()
    (beside / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    with atomic(path) as beside:
        beside.write_text("whole")
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_folder_of_a_killed_process_goes_with_the_next(tmp_path):
    path = tmp_path / "some"
    code = f"""
import os, signal
from pathlib import Path
from eosfm.core.files import temporary_folder
with temporary_folder(Path({str(path)!r})) as folder:
    (folder / "much").write_text("much")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    with temporary_folder(path) as folder, temporary_folder(path) as other:
        assert {*tmp_path.iterdir()} == {folder, other} and not [*folder.iterdir()]
    assert list(tmp_path.iterdir()) == []


def test_a_file_takes_the_place_of_no_folder(tmp_path):
    path = tmp_path / "models"
    path.mkdir()
    (path / "mine").write_text("mine")
    refused = pytest.raises(EosfmError, match="models is a folder; expected the name of a file")
    with refused, atomic(path) as beside:
        beside.write_text("file")
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "mine").read_text() == "mine"


def test_a_folder_goes_where_a_link_leads(tmp_path):
    disk, link = tmp_path / "disk" / "hub", tmp_path / "hub"
    disk.mkdir(parents=True)
    (disk / "former").touch()
    link.symlink_to(disk)
    with atomic(link) as beside:
        beside.mkdir()
        (beside / "new").touch()
    assert link.is_symlink() and list(disk.iterdir()) == [disk / "new"]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "disk", link]
    assert list(disk.parent.iterdir()) == [disk]


@pytest.mark.parametrize("name", ["file/x", "file/y/x", "nowhere/x"])
def test_a_place_that_cannot_be_is_one_line(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(OSError) as caught, atomic(tmp_path / name):
        pass
    assert "choose another place" in (line_of(caught.value) or "")


@pytest.mark.parametrize("path", ["/proc/a.pt", "/proc/x/a.pt"])
def test_a_place_that_takes_no_file_is_one_line_before_any_work(path):
    with pytest.raises(OSError) as caught, atomic(path):
        pytest.fail("began")
    assert "choose another place" in (line_of(caught.value) or "") and path in str(caught.value)


def test_a_full_disk_is_named_whatever_a_library_makes_of_it(tmp_path):
    with pytest.raises(RuntimeError) as caught, atomic(tmp_path / "a.pt"):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected pos 704 vs 598")  # noqa: B904 -- as torch does
    line = line_of(caught.value) or ""
    assert line.startswith(f"{tmp_path / 'a.pt'} cannot be used (No space left on device)")


def test_what_stepped_aside_for_what_never_came_is_back(tmp_path):
    path, node, gone = tmp_path / "hub", os.uname().nodename, 2**22 + 1
    aside = tmp_path / f".hub.{node}-{gone}-0123abcd.old.part"
    aside.mkdir()
    (aside / "mine").touch()
    with pytest.raises(KeyError), atomic(path):
        raise KeyError
    assert list(tmp_path.iterdir()) == [path] and (path / "mine").exists()


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic(tmp_path / "out"):
        pass


def test_json_is_whole_or_absent(tmp_path):
    path = tmp_path / "a" / "b.json"
    write_json(path, {"b": 1, "a": 2})
    assert path.read_text() == '{\n "a": 2,\n "b": 1\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {"c": object()})
    assert read_json(path) == {"a": 2, "b": 1}
    write_json(path, {"b": 1, "a": 2}, sort_keys=False)
    assert list(read_json(path)) == ["b", "a"]


def test_json_that_cannot_be_read_is_one_line(tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(EosfmError, match=r"x\.json not found; run `dvc repro`"):
        read_json(path, "run `dvc repro`")
    path.write_text("{")
    with pytest.raises(EosfmError, match=r"x\.json is damaged or no JSON .*; build it again"):
        read_json(path)


def test_what_a_killed_process_left_goes_and_nothing_of_others(tmp_path):
    path, node, gone = tmp_path / "x.json", os.uname().nodename, 2**22 + 1
    killed = [
        tmp_path / f".x.json.{node}-{gone}-0123abcd{end}.part" for end in ("", "-strips", ".old")
    ]
    others = [
        tmp_path / f".x.json.{node}-{os.getpid()}-0123abcd.part",
        tmp_path / f".x.json.{node}-{gone}-2-0123abcd.part",  # a machine named so, and -<number>
        tmp_path / f".y.json.{node}-{gone}-0123abcd.part",
    ]
    for file in (*killed, *others):
        file.touch()
    path.touch()
    write_json(path, 1)
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])
