"""Reading a store holds no more of it in memory, the larger it is."""

from weakref import ref

import numpy as np

from eosfm.tiles import mapping
from eosfm.tiles.mapping import Shard
from tests.core.test_mapped import MB, resident


def test_pages_of_rows_that_were_read_are_let_go_of(tmp_path, monkeypatch):
    monkeypatch.setattr(mapping, "READ_BYTES", 2 * MB)
    rows = np.full((16, MB), 7, np.uint8)
    shards = []
    for number in range(4):
        path = tmp_path / f"{number}.npy"
        np.save(path, rows)
        shards.append(Shard(path, rows.dtype, rows.shape, "cut it again"))
    first = shards[0].array()[0]
    before = most = resident()
    for row in range(16):
        for shard in shards:
            assert shard.array()[row].sum(dtype=np.int64) == 7 * MB
            most = max(most, resident())
    assert most - before < 32 * MB  # of 64
    assert (first == 7).all()


def test_a_thread_that_reads_while_another_lets_go_disturbs_nobody(monkeypatch):
    read, rows = mapping._Read(), np.zeros((2, 8))
    monkeypatch.setattr(mapping, "READ_BYTES", 0)
    begun = read.arrays
    # What the other had been about to do when this one began.
    monkeypatch.setattr(mapping, "release", lambda _: begun.update({0: ref(rows)}))
    read.note(rows)
    assert not read.arrays and not read.bytes
