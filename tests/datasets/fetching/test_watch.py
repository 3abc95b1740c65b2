"""Whether anything below a folder changed."""

import hashlib
import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.watch import watch_roots
from eosfm.datasets.native import contents as module
from eosfm.datasets.native.contents import Entry


def list_files(root: Path, cache: Path | None) -> list[Entry]:
    return list(module.list_files(root, cache))


LONG_AGO = 1_000_000_000 * 10**9


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for number in range(20):
        path = root / f"folder{number % 3}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * 100)
    return root


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read, in any order."""
    names: list[str] = []
    hash_file = module.hash_file

    def watched(path: Path) -> str:
        names.append(path.name)
        return hash_file(path)

    monkeypatch.setattr(module, "hash_file", watched)
    return names


def rewrite(root: Path) -> None:
    """Give every file other bytes, and its old size and date."""
    for path in root.rglob("*.bin"):
        status = path.stat()
        path.write_bytes(bytes(reversed(range(100))))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_files_are_read_once(root: Path, tmp_path: Path, read: list[str]):
    first = list_files(root, tmp_path / "cache")
    assert len(read) == 20
    assert list_files(root, tmp_path / "cache") == first
    assert len(read) == 20
    (root / "folder0" / "0.bin").write_bytes(b"other")
    assert list_files(root, tmp_path / "cache") != first
    assert read[20:] == ["0.bin"]


@pytest.mark.parametrize(
    "change",
    [
        rewrite,
        lambda root: (root / "folder0" / "new.bin").touch(),
        lambda root: (root / "folder0" / "0.bin").unlink(),
        lambda root: (root / "folder0" / "0.bin").rename(root / "folder0" / "zero.bin"),
        lambda root: (root / "folder0" / "0.bin").replace(root / "folder0" / "3.bin"),
    ],
    ids=["rewritten", "added", "removed", "renamed", "replaced"],
)
def test_every_change_is_noticed(root: Path, tmp_path: Path, change: Callable[[Path], object]):
    before = list_files(root, tmp_path / "cache")
    change(root)
    after = list_files(root, tmp_path / "cache")
    assert after != before
    assert after == list_files(root, None), "the cache agrees with reading everything"


def test_two_files_that_swap_their_names_are_noticed(root: Path, tmp_path: Path):
    before = list_files(root, tmp_path / "cache")
    (root / "a").mkdir()
    one, two = root / "folder0" / "0.bin", root / "folder0" / "3.bin"
    beside = one.rename(root / "folder0" / "beside")
    two.rename(one)
    beside.rename(two)
    assert list_files(root, tmp_path / "cache") != before


def test_reading_waits_until_a_change_would_show(root: Path, tmp_path: Path, monkeypatch):
    waits = []
    monkeypatch.setattr(module, "CLOCK_TICK", 60.0)
    monkeypatch.setattr(module.time, "sleep", waits.append)
    list_files(root, None)
    assert waits == [], "nothing is remembered, so nothing can be wrong later"
    list_files(root, tmp_path / "cache")
    list_files(root, tmp_path / "cache")
    assert waits == [60.0]


@pytest.mark.parametrize("behind", [0, 86_400])
def test_a_change_shows_where_times_are_coarse_and_the_clock_was_set_back(
    root: Path, tmp_path: Path, monkeypatch, behind: int
):
    tick, stamp, now = 0.2, module._stamp, module.time.time

    def coarse(path: str) -> module.Stamp:
        size, mtime, ctime, inode = stamp(path)
        step = int(tick * 1e9)
        return module.Stamp(size, mtime // step * step, ctime // step * step, inode)

    monkeypatch.setattr(module, "CLOCK_TICK", tick)
    monkeypatch.setattr(module, "_stamp", coarse)
    monkeypatch.setattr(module.time, "time", lambda: now() - behind)
    rewrite(root)
    before = list_files(root, tmp_path / "cache")
    for path in root.rglob("*.bin"):
        path.write_bytes(bytes(100))
    after = list_files(root, tmp_path / "cache")
    assert after != before and after == list_files(root, None)


def test_what_was_read_is_kept_when_reading_stops(root, tmp_path, read, monkeypatch):
    watched = module.hash_file

    def stopped(path: Path) -> str:
        if path.name == "17.bin":
            raise KeyboardInterrupt
        return watched(path)

    monkeypatch.setattr(module, "THREADS", 1)
    monkeypatch.setattr(module, "hash_file", stopped)
    with pytest.raises(KeyboardInterrupt):
        list_files(root, tmp_path / "cache")
    monkeypatch.setattr(module, "hash_file", watched)
    list_files(root, tmp_path / "cache")
    assert len(set(read)) == 20
    assert len(read) <= 23, "twice at most the three that follow 17.bin, read ahead of it"


def test_same_files_same_entries_wherever_they_lie(root: Path, tmp_path: Path):
    elsewhere = Path(shutil.copytree(root, tmp_path / "elsewhere"))
    for path in elsewhere.rglob("*"):
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    cache = tmp_path / "cache"
    assert list_files(root, cache) == list_files(elsewhere, cache) == list_files(root, None)
    assert len(list(cache.iterdir())) == 2, "one memory for each root"


def test_paths_are_sorted_as_a_whole(tmp_path: Path):
    names = ["a-b/1", "a.b", "a/b", "a/b-c", "a/b.c/d", "ab/\u00e9", "b", "b0/c"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / ".hidden").touch()
    assert list(module.list_names(tmp_path)) == sorted(names)
    assert list(module.list_names(tmp_path, hidden=True)) == sorted([*names, "a/.hidden"])


def test_a_list_of_some_files_leaves_what_is_remembered_of_others(root, tmp_path, read):
    cache = tmp_path / "cache"
    some = sorted(f"folder{n % 3}/{n}.bin" for n in (4, 5, 9, 10))
    first = list(module.hash_files(root, some, cache))
    assert [entry.path for entry in first] == some and len(read) == 4
    everything = list_files(root, cache)
    assert len(read) == 20, "those four are not read again"
    (root / "folder0" / "9.bin").write_bytes(b"other")
    assert list(module.hash_files(root, some, cache)) != first
    assert read[20:] == ["9.bin"]
    after = list_files(root, cache)
    assert len(read) == 21 and after != everything and after == list_files(root, None)


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_the_cache_is_the_same_however_files_come_to_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
):
    names = list(module.list_names(root))
    list_files(root, tmp_path / "whole")
    monkeypatch.setattr(module, "BATCH", batch)
    for some in (names[5:9], names[::3], names[:2], names[15:]):
        list(module.hash_files(root, some, tmp_path / "parts"))
    list_files(root, tmp_path / "parts")
    (whole,), (parts,) = (tmp_path / "whole").iterdir(), (tmp_path / "parts").iterdir()
    assert whole.read_bytes() == parts.read_bytes()
    assert json.loads(whole.read_text().splitlines()[-1])[0] == names[-1]


def test_memory_does_not_grow_with_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "BATCH", 50)
    monkeypatch.setattr(module, "hash_file", lambda path: "0" * 64)

    def peak(count: int) -> int:
        root = tmp_path / str(count)
        for number in range(count):
            path = root / f"{number // 20}" / f"a-name-of-some-length-{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        tracemalloc.start()
        for again in (1, 2):
            assert sum(1 for _ in module.list_files(root, tmp_path / "cache")) == count, again
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(50)
    growth = (peak(3000) - peak(300)) / 2700
    assert growth < 200, "bytes a file; a list of them takes 600 and more"


@pytest.mark.parametrize("text", ["", "nonsense", "[1]\n", '["folder0/0.bin", 3, "aa"]\n'])
def test_damaged_cache_costs_time_alone(root, tmp_path, read, text: str):
    first = list_files(root, tmp_path / "cache")
    (memory,) = (tmp_path / "cache").iterdir()
    memory.write_text(text)
    assert list_files(root, tmp_path / "cache") == first
    assert len(read) == 40


def test_hidden_files_are_left_out_and_links_followed(root: Path, tmp_path: Path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "a").symlink_to(root / "folder0")
    (linked / "b.bin").symlink_to(root / "folder1" / "1.bin")
    (linked / ".hidden").write_text("x")
    (linked / ".fetched").mkdir()
    (linked / ".fetched" / "record").write_text("x")
    names = [entry.path for entry in list_files(linked, None)]
    assert names == sorted([*(f"a/{n}.bin" for n in range(0, 20, 3)), "b.bin"])


def test_cycles_of_links_end(root: Path):
    expected = [entry.path for entry in list_files(root, None)]
    (root / "folder0" / "up").symlink_to(root)
    (root / "folder1" / "self").symlink_to(root / "folder1")
    assert [entry.path for entry in list_files(root, None)] == expected


@pytest.mark.parametrize("target", ["nowhere", "broken"])
def test_a_link_to_nothing_is_told(root: Path, target: str):
    (root / "broken").symlink_to(root / target)
    with pytest.raises(EosfmError, match=r"broken cannot be read .*; mend or remove it"):
        list_files(root, None)


def test_a_pipe_and_a_device_are_refused_instead_of_read_without_end(root: Path):
    os.mkfifo(root / "pipe")
    with pytest.raises(EosfmError, match=r"pipe cannot be read \(a pipe, socket or device\)"):
        list_files(root, None)
    (root / "pipe").unlink()
    (root / "zeros").symlink_to("/dev/zero")
    with pytest.raises(EosfmError, match=r"zeros cannot be read \(a pipe, socket or device\)"):
        list_files(root, None)


def test_roots_are_written_down(root: Path, tmp_path: Path):
    roots = {"mine": root, "none": None, "gone": tmp_path / "absent"}
    sources = {"mine": "archive", "none": "simulated", "gone": "archive"}
    watch_roots(roots, sources, tmp_path / "out", tmp_path / "cache")
    texts = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert json.loads(texts["none.json"]) == {"source": "simulated", "root": None}
    assert json.loads(texts["gone.json"]) == {"source": "archive", "root": "no folder"}
    mine = json.loads(texts["mine.json"])["root"]
    digest = hashlib.sha256()
    for entry in list_files(root, None):
        digest.update(json.dumps(entry).encode())
    assert mine == {"files": 20, "bytes": 2000, "sha256": digest.hexdigest()}
    watch_roots(roots, sources, tmp_path / "again", tmp_path / "cache")
    assert texts == {path.name: path.read_text() for path in (tmp_path / "again").iterdir()}
    watch_roots(roots, sources, tmp_path / "part", tmp_path / "cache", parts=["mine"])
    assert json.loads((tmp_path / "part" / "mine.json").read_text()) == {
        "source": "archive", "root": mine, "scenes": "any"
    }  # fmt: skip
    assert (tmp_path / "part" / "none.json").read_text() == texts["none.json"]
    rewrite(root)
    watch_roots(roots, sources, tmp_path / "again", tmp_path / "cache")
    assert (tmp_path / "again" / "mine.json").read_text() != texts["mine.json"]


def test_watching_loads_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys, eosfm.datasets.fetching.watch; "
        "print({'numpy', 'torch', 'requests', 'rasterio'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
