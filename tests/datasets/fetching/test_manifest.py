"""Manifests."""

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest

import eosfm.datasets.native.manifest as module
from eosfm.core.errors import EosfmError
from eosfm.datasets import get_dataset
from eosfm.datasets.fetching.prepare import write_manifest
from eosfm.datasets.native.manifest import check_manifest, read_manifest
from eosfm.datasets.native.spec import Scene

CONTENT = {"b.txt": b"two", "a/z.txt": b"", "a/é.txt": b"three"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name, content in CONTENT.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / ".fetched").mkdir()
    (root / ".fetched" / "record.gz").write_bytes(b"bookkeeping")
    return root


def toy(*scenes: tuple[str, str]):
    """A dataset whose reader yields these (id, split) pairs."""
    unread = {"height": 8, "width": 8, "image": None, "target": None}

    def reader(root: Path):
        return (Scene(name, split, files=(root / "b.txt",), **unread) for name, split in scenes)

    return replace(get_dataset("loveda"), name="toy", reader=reader)


GOOD = toy(("1", "train"), ("2", "train"), ("3", "val"))


def test_lists_hashes_and_counts(root: Path, tmp_path: Path):
    manifest = write_manifest(root, tmp_path / "out" / "manifest.parquet", GOOD)
    assert [entry.path for entry in manifest.files()] == ["a/z.txt", "a/é.txt", "b.txt"]
    for entry in manifest.files():
        assert entry.bytes == len(CONTENT[entry.path])
        assert entry.sha256 == hashlib.sha256(CONTENT[entry.path]).hexdigest()
    assert manifest.scenes == {"train": 2, "val": 1, "test": 0}
    assert manifest.bytes == 8
    assert read_manifest(tmp_path / "out" / "manifest.parquet") == manifest


def test_same_bytes_wherever_the_files_lie(root: Path, tmp_path: Path):
    write_manifest(root, tmp_path / "1.parquet", GOOD)
    write_manifest(
        Path(shutil.copytree(root, tmp_path / "elsewhere")), tmp_path / "2.parquet", GOOD
    )
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert os.fsencode(tmp_path) not in (tmp_path / "1.parquet").read_bytes()


def test_long_lists_come_in_parts(root: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 2)
    manifest = write_manifest(root, tmp_path / "manifest.parquet", GOOD)
    assert pyarrow.parquet.ParquetFile(manifest.path).num_row_groups == 2
    assert [entry.path for entry in manifest.files()] == ["a/z.txt", "a/é.txt", "b.txt"]


def test_check_passes_where_nothing_changed(root: Path, tmp_path: Path):
    manifest = write_manifest(root, tmp_path / "manifest.parquet", GOOD)
    check_manifest(manifest, root)
    check_manifest(manifest, Path(shutil.copytree(root, tmp_path / "elsewhere")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: (r / "b.txt").write_bytes(b"owt"), "b.txt changed since"),
        (lambda r: (r / "b.txt").write_bytes(b"longer"), "b.txt changed since"),
        (lambda r: (r / "a" / "z.txt").unlink(), "a/z.txt is missing since"),
        (lambda r: (r / "a" / "new.txt").touch(), "a/new.txt is new since"),
        (lambda r: (r / "b.txt").rename(r / "c.txt"), "b.txt is missing .* first of 2 "),
    ],
)
def test_check_names_the_fault_and_the_repair(root: Path, tmp_path: Path, change, message: str):
    cache = tmp_path / "cache"
    manifest = write_manifest(root, tmp_path / "manifest.parquet", GOOD, cache)
    change(root)
    with pytest.raises(EosfmError, match=f"toy: .*{message}.*-f .*:download@toy") as caught:
        check_manifest(manifest, root, cache)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (toy(), "loads 0 labelled scenes"),
        (toy(("1", "val")), "loads 1 labelled scenes, none for training"),
        (toy(("1", "train"), ("1", "val")), "scene 1 occurs twice"),
    ],
)
def test_refuses_a_reader_that_finds_nothing_useful(dataset, message, root, tmp_path):
    with pytest.raises(EosfmError, match=message):
        write_manifest(root, tmp_path / "manifest.parquet", dataset)
    assert not (tmp_path / "manifest.parquet").exists()


def refused(read, message: str) -> None:
    with pytest.raises(EosfmError, match=f"{message}.*download@") as caught:
        read()
    assert "\n" not in str(caught.value)


def test_unreadable_manifest_is_one_line(root: Path, tmp_path: Path, monkeypatch):
    path = tmp_path / "manifest.parquet"
    refused(lambda: read_manifest(path), "not found")
    for content in (b"", b"{}"):
        path.write_bytes(content)
        refused(lambda: read_manifest(path), "is no manifest")
    pyarrow.parquet.write_table(pyarrow.table({"path": ["b.txt"]}), path)
    refused(lambda: read_manifest(path), "is no manifest")
    manifest = write_manifest(root, path, GOOD)
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"z.txt")] ^= 1
    path.write_bytes(damaged)
    refused(lambda: list(manifest.files()), "is no manifest")
    monkeypatch.setattr(module, "FORMAT", 3)
    write_manifest(root, path, GOOD)
    monkeypatch.undo()
    refused(lambda: read_manifest(path), "has format 3; expected 2")
