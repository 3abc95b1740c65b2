"""Frozen features: some of the tiles, some of the specialists, prepared once or anew."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eosfm.encoding.input import InputSpec
from eosfm.features.frozen import FrozenFeatures
from eosfm.features.source import PreparedLevels, Request, StoredLevels, split_levels
from eosfm.features.windows import Windows, covering

CHANNELS = (4, 6, 8, 10)
INPUTS = tuple(InputSpec(f"s{i // 2}", channels=CHANNELS, index=i // 2) for i in range(6))
WHOLE = Windows.whole((32, 32))


@pytest.fixture
def split() -> FrozenFeatures:
    """Twenty tiles of two dates, six pyramids of three specialists."""
    generator = torch.Generator().manual_seed(0)
    arrays = [
        torch.randn(20, 2, 6 * width, side, side, generator=generator).numpy()
        for width, side in zip(CHANNELS, (8, 4, 2, 1), strict=True)
    ]
    days = torch.arange(40.0).view(20, 2)
    source = StoredLevels(arrays, np.arange(20, dtype=np.uint8), WHOLE)
    return FrozenFeatures(source, days, WHOLE, inputs=INPUTS)


def levels(split: FrozenFeatures, items: np.ndarray) -> list[torch.Tensor]:
    return split.batch(items)[0][0]


def test_some_specialists_keep_their_own_channels(split):
    items = np.array([7, 3])
    some = split.only(["s2", "s0"])
    assert some.specialists == ["s0", "s2"]
    every, kept = (split_levels(levels(s, items), s.inputs) for s in (split, some))
    for level, parts in zip(every, kept, strict=True):
        assert all(torch.equal(level[i], part) for i, part in zip((0, 1, 4, 5), parts, strict=True))
    assert split.only(split.specialists) is split


def test_some_tiles_with_all_their_windows():
    windows = covering((8, 4), 4)
    targets = np.arange(3 * 32).reshape(3, 8, 4).astype(np.uint16)
    source = StoredLevels([np.arange(6)], targets, windows)
    split = FrozenFeatures(source, torch.arange(3.0)[:, None], windows, inputs=INPUTS)
    some = split.take(np.array([0, 2]))
    assert len(some) == 2
    (found, days), cut = some.batch(np.array([1, 3]))
    assert found[0].tolist() == [1, 5] and days[:, 0].tolist() == [0, 2]
    assert cut[1].tolist() == targets[2, 4:].tolist()
    assert [t.tolist() for t in some.some_targets()] == targets[[0, 2]].tolist()
    drawn = {
        tuple(next(some.source.stream([Request(np.array([0, 2]), (0, epoch))]))[0][0].tolist())
        for epoch in range(20)
    }
    assert drawn == {(a, b) for a in (0, 1) for b in (4, 5)}


def test_changes_follow_one_another(split):
    some = (
        split.take(np.array([5, 2, 9])).only(["s1"]).prepared(lambda xs, days: [2 * x for x in xs])
    )
    (found, days), targets = some.batch(np.array([2, 0]))
    assert targets.tolist() == [9, 5] and days[:, 0].tolist() == [18, 10]
    wanted = split_levels(levels(split, np.array([9, 5])), INPUTS)
    for level, parts in zip(found, wanted, strict=True):
        assert torch.equal(level, 2 * torch.cat(parts[2:4], dim=2))


def test_preparing_once_and_anew_give_the_same(split, monkeypatch, tmp_path):
    def prepare(levels, days):
        return [level.mean(dim=1) + days[:, 1].view(-1, 1, 1, 1) for level in levels]

    monkeypatch.setattr("eosfm.features.frozen.SCRATCH", tmp_path)
    in_memory = split.prepared(prepare)
    monkeypatch.setattr("eosfm.features.frozen.MEMORY_GB", 0.0)
    on_disk = split.prepared(prepare)
    monkeypatch.setattr("eosfm.features.frozen.KEPT_GB", 0.0)
    anew = split.prepared(prepare)
    assert isinstance(on_disk.source.arrays[0], np.memmap)
    assert not isinstance(in_memory.source.arrays[0], np.memmap)
    assert isinstance(anew.source, PreparedLevels)
    assert not list(tmp_path.iterdir())  # the file has no name, so nothing is left of it
    for items in (np.array([17, 3]), np.array([0])):
        first, *others = (s.batch(items) for s in (in_memory, on_disk, anew))
        for other in others:
            torch.testing.assert_close(other, first, rtol=0, atol=0)


def test_tiles_that_show_a_class_are_seen_several_times_in_a_pass(split):
    assert split.one_pass.tolist() == list(range(20))
    often = replace(split, repeat={3: 2, 7: 3})
    assert often.one_pass.tolist() == sorted([*range(20), 3, 7, 7])
    assert often.take(np.array([7, 5])).one_pass.tolist() == [0, 0, 0, 1]


def test_days_follow_the_requests_that_are_read_ahead(split):
    class Ahead(StoredLevels):
        def stream(self, requests):
            yield from super().stream(list(requests))

    source = split.source
    ahead = replace(split, source=Ahead(source.arrays, source.by_tile, source.windows))
    requests = [Request(np.array([k, k + 1])) for k in range(3)]
    assert [days[:, 0].tolist() for (_, days), _ in ahead.batches(requests)] == [
        [2.0 * k, 2.0 * k + 2] for k in range(3)
    ]


def test_of_fewer_tiles_and_specialists_no_more_is_encoded(split, monkeypatch):
    """What encodes as it is read is told which pyramids are wanted."""
    told = []
    monkeypatch.setattr(
        StoredLevels, "only", lambda self, inputs, chosen: told.append(chosen) or self
    )
    split.take(np.array([5, 2])).only(["s1"])
    assert told == [(2, 3)]
