"""Frozen features: some of the tiles, some of the specialists, prepared once or anew."""

import numpy as np
import pytest
import torch

from eosfm.encoding.input import InputSpec
from eosfm.features.frozen import ArrayLevels, FrozenFeatures, split_levels
from eosfm.features.windows import Windows, sliding

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
    return FrozenFeatures(ArrayLevels(arrays), INPUTS, torch.arange(20), days, WHOLE)


def test_some_specialists_keep_their_own_channels(split):
    items = np.array([7, 3])
    some = split.only(["s2", "s0"])
    assert some.specialists == ["s0", "s2"]
    every, kept = (split_levels(s.levels(items), s.inputs) for s in (split, some))
    for level, parts in zip(every, kept, strict=True):
        assert all(torch.equal(level[i], part) for i, part in zip((0, 1, 4, 5), parts, strict=True))
    assert split.only(split.specialists) is split


def test_some_tiles_with_all_their_windows():
    windows = sliding((8, 4), 4, 0)
    split = FrozenFeatures(
        ArrayLevels([np.arange(6)]), INPUTS,
        torch.arange(3 * 32).view(3, 8, 4), torch.arange(3.0)[:, None], windows,
    )  # fmt: skip
    some = split.take(np.array([0, 2]))
    assert len(some) == 4
    (levels, days), targets = some.batch(np.array([1, 3]))
    assert levels[0].tolist() == [1, 5] and days[:, 0].tolist() == [0, 2]
    assert torch.equal(targets[1], split.targets[2, 4:])


def test_changes_follow_one_another(split):
    some = split.take(np.array([5, 2, 9])).only(["s1"]).prepared(lambda xs: [2 * x for x in xs])
    (levels, days), targets = some.batch(np.array([2, 0]))
    assert targets.tolist() == [9, 5] and days[:, 0].tolist() == [18, 10]
    wanted = split_levels(split.levels(np.array([9, 5])), INPUTS)
    for level, parts in zip(levels, wanted, strict=True):
        assert torch.equal(level, 2 * torch.cat(parts[2:4], dim=2))


def test_preparing_once_and_anew_give_the_same(split, monkeypatch):
    def prepare(levels):
        return [level.mean(dim=1) for level in levels]

    once = split.prepared(prepare)
    assert isinstance(once.source, ArrayLevels)
    monkeypatch.setattr("eosfm.features.frozen.KEPT_GB", 0.0)
    anew = split.prepared(prepare)
    assert not isinstance(anew.source, ArrayLevels)
    for a, b in zip(*(s.levels(np.array([17, 3])) for s in (once, anew)), strict=True):
        assert torch.equal(a, b)
