"""Fusion of stored features equals the fuser's own, and windows are scored as whole tiles."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from eosfm.encoding.input import InputSpec
from eosfm.evaluation.feature_fusion import Fusing, LinearFusing, build_fusing
from eosfm.evaluation.fit import make_trials, score
from eosfm.features.frozen import Encoded, split_levels
from eosfm.features.windows import Windows, sliding
from eosfm.fusion.fuser import Fuser

CHANNELS = (4, 6, 8, 10)
INPUTS = [InputSpec(f"s{i // 2}", channels=CHANNELS, index=i // 2) for i in range(6)]


def levels(batch: int = 3, dates: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(batch, dates, 6 * width, side, side, generator=generator)
        for width, side in zip(CHANNELS, (8, 4, 2, 1), strict=True)
    ]


def by_fuser(fuser: Fuser, stacked: list[torch.Tensor]) -> list[torch.Tensor]:
    parts = split_levels([level.flatten(0, 1) for level in stacked], INPUTS, dim=1)
    fused = fuser([[level[i] for level in parts] for i in range(len(INPUTS))])
    return [level.unflatten(0, (-1, stacked[0].shape[1])) for level in fused]


@pytest.mark.parametrize("keep", [None, 1])
@pytest.mark.parametrize("training", [True, False])
def test_the_matrix_product_is_the_fuser(keep, training):
    torch.manual_seed(0)
    fuser = Fuser(INPUTS, max_encoders=keep).train(training)
    fusing = LinearFusing(fuser, pool=False, average=False).train(training)
    for mine, expected in zip(
        fusing(fusing.prepare(levels())), by_fuser(fuser, levels()), strict=True
    ):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-4)


def test_selection_learns_as_it_does_in_the_fuser():
    """The same gradients reach the gates, so the same specialists leave."""
    settled = []
    for linear in (True, False):
        torch.manual_seed(0)
        fuser = Fuser(INPUTS, max_encoders=1).train()
        fusing = LinearFusing(fuser, False, False) if linear else Fusing(fuser)
        optimizer = torch.optim.SGD([p for m in fuser.mixers for p in m.parameters()], lr=0.05)
        batch = levels()
        goal = [level[:, :, :width] for level, width in zip(batch, CHANNELS, strict=True)]
        prepared = fusing.prepare(batch)
        for _ in range(200):
            if fuser.selection.settled:
                break
            fused = fusing(prepared)
            loss = sum((a - b).square().mean() for a, b in zip(fused, goal, strict=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        settled.append((fuser.selected, int(fuser.selection.steps)))
    assert settled[0][0] == settled[1][0] == ["s0"]


def test_averages_that_come_later_may_come_first():
    fuser = Fuser(INPUTS).eval()
    ahead = LinearFusing(fuser, pool=True, average=True)
    later = LinearFusing(fuser, pool=False, average=False)
    for early, late in zip(
        ahead(ahead.prepare(levels())), later(later.prepare(levels())), strict=True
    ):
        torch.testing.assert_close(
            early, late.mean(dim=(1, 3, 4), keepdim=True), atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, LinearFusing), ({"fusion": "concat"}, Fusing), ({"normalize": "batch"}, Fusing),
     ({"projection": True}, Fusing)],
)  # fmt: skip
def test_only_what_is_linear_is_taken_ahead(options, kind):
    assert type(build_fusing(Fuser(INPUTS, **options), "segmentation", None)) is kind


def test_preparing_once_and_anew_give_the_same(monkeypatch):
    fusing = LinearFusing(Fuser(INPUTS), pool=False, average=True)
    whole = Windows((32, 32), (32, 32), ((0, 0),))
    stacked = levels(20)
    split = Encoded(
        lambda items: [level[torch.from_numpy(items)] for level in stacked],
        tuple(INPUTS), torch.zeros(20), torch.zeros(20, 2), whole,
    )  # fmt: skip
    once = split.prepared(fusing.prepare).levels(np.array([17, 3]))
    monkeypatch.setattr("eosfm.features.frozen.KEPT_GB", 0.0)
    anew = split.prepared(fusing.prepare).levels(np.array([17, 3]))
    for a, b in zip(once, anew, strict=True):
        torch.testing.assert_close(a, b)


def test_some_tiles_of_a_split_with_all_their_windows():
    windows = sliding((8, 4), 4, 0)
    split = Encoded(
        lambda items: [torch.from_numpy(items)], tuple(INPUTS),
        torch.arange(3 * 32).view(3, 8, 4), torch.arange(3.0)[:, None], windows,
    )  # fmt: skip
    some = split.take(np.array([0, 2]))
    assert len(some) == 4
    (levels, days), targets = some.batch(np.array([1, 3]))
    assert levels[0].tolist() == [1, 5] and days[:, 0].tolist() == [0, 2]
    assert torch.equal(targets[1], split.targets[2, 4:])


class Brightness(nn.Module):
    """Says of each pixel whether it is bright."""

    def forward(self, images, size):
        assert images.shape[-2:] == size
        return torch.stack([0.5 - images, images - 0.5], dim=1)


class Tiles:
    """Five tiles whose pixels say their targets, but for one where they say the opposite."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        generator = torch.Generator().manual_seed(0)
        self.images = (torch.rand(5, *windows.tile, generator=generator) > 0.5).float()
        self.targets = self.images.long()
        self.targets[0] = 1 - self.targets[0]

    def __len__(self) -> int:
        return 5 * self.windows.count

    def batch(self, items):
        count = self.windows.count
        cut = [self.windows.cut(self.images[i // count], i % count) for i in items]
        return torch.stack(cut), torch.zeros(len(cut))


@pytest.mark.parametrize("window", [32, 12])
def test_windows_are_scored_as_whole_tiles(params, stores, window):
    windows = sliding((32, 32), window, 4)
    trial = make_trials(params, "segmentation", stores["segmentation"], 1)[0]
    trial = dataclasses.replace(trial, windows=windows)
    assert score(Brightness(), Tiles(windows), trial)["accuracy"] == pytest.approx(0.8)
