"""Mapped arrays: what is let go of is still there, and no longer in memory."""

import resource
from pathlib import Path

import numpy as np
import pytest

from eosfm.core.mapped import release, reserve
from eosfm.tiles.mapping import Shard

MB = 2**20


def resident() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("RssFile"))


def test_pages_that_were_read_or_written_are_let_go_of(tmp_path):
    written = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (64 * MB,))
    before = resident()
    written[:] = 7
    assert resident() - before > 60 * MB
    release(written)
    assert resident() - before < 4 * MB
    assert (written == 7).all()
    read = np.load(tmp_path / "a.npy", mmap_mode="r").view(np.ndarray)[3:]
    release(written)
    before = resident()
    assert read.sum(dtype=np.int64) == 7 * (64 * MB - 3)
    release(read)
    assert resident() - before < 4 * MB


def test_a_shard_of_a_store_is_let_go_of(tmp_path):
    path = tmp_path / "images-00000.npy"
    np.save(path, np.full((64, MB), 7, np.uint8))
    array = Shard(path, np.dtype(np.uint8), (64, MB), "cut it again").array()
    before = resident()
    assert array.sum(dtype=np.int64) == 7 * 64 * MB
    assert resident() - before > 60 * MB
    release(array[3])
    assert resident() - before < 4 * MB


def test_an_array_in_memory_stays_as_it_is():
    array = np.arange(5)
    release(array[1:])
    assert array.tolist() == [0, 1, 2, 3, 4]


def test_room_is_taken_before_it_is_written_to(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MB, limits[1]))
    try:
        with (tmp_path / "a.npy").open("w+b") as file:
            reserve(file, MB)
            assert (tmp_path / "a.npy").stat().st_blocks * 512 >= MB
            with pytest.raises(OSError, match="File too large"):
                reserve(file, 2 * MB)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
