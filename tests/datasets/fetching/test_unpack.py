"""Unpacking archives; what archives hold that they should not is in tests/faults."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pyarrow
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.unpack import need_space, unpack
from tests.datasets.fetching.test_fetch import FILES, contents


def make_zip(path: Path, files: dict[str, bytes] = FILES) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes] = FILES) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    if path.suffix == ".zst":
        with pyarrow.output_stream(str(path), compression="zstd") as stream:
            stream.write(buffer.getvalue())
    elif path.suffix == ".gz":
        import gzip

        path.write_bytes(gzip.compress(buffer.getvalue()))
    else:
        path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.zst"])
def test_unpacks_every_format_among_other_files(name: str, tmp_path: Path):
    make = make_zip if name.endswith("zip") else make_tar
    archive = make(tmp_path / name)
    folder = tmp_path / "out"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "old.txt").write_bytes(b"kept")
    unpack(archive, folder, tmp_path / "names")
    assert contents(folder) == FILES | {"data/old.txt": b"kept"}
    lines = (tmp_path / "names").read_text().splitlines()
    assert [json.loads(line) for line in lines] == sorted(FILES)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.zst"])
def test_truncated_archive_is_one_line(name: str, tmp_path: Path):
    make = make_zip if name.endswith("zip") else make_tar
    archive = make(tmp_path / name, {"a.bin": bytes(range(256)) * 400})
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 3])
    with pytest.raises(EosfmError, match="damaged"):
        unpack(archive, tmp_path / "out", tmp_path / "names")
    assert contents(tmp_path / "out") == {}


def test_need_space(tmp_path: Path):
    need_space(tmp_path, 1, "a.zip")
    with pytest.raises(
        EosfmError, match=r"a.zip needs 1000000.0 GB and .* GB free; make room, or set"
    ):
        need_space(tmp_path, 10**15, "a.zip")


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path: Path):
    inner = make_zip(tmp_path / "inner.zip").read_bytes()
    archive = make_tar(tmp_path / "outer.tar", {"a.txt": b"one", "z.npz": inner})
    unpack(archive, tmp_path / "out", tmp_path / "names")
    assert (tmp_path / "out" / "z.npz").read_bytes() == inner
