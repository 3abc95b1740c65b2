"""Fusion of stored features equals the fuser's own."""

from dataclasses import replace

import pytest
import torch

from eosfm.encoding.input import InputSpec
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.feature_fusion import Fusing, LinearFusing, build_fusing, needs_maps
from eosfm.features.pooling import pool
from eosfm.features.source import split_levels
from eosfm.fusion.fuser import Fuser
from eosfm.heads.temporal import build_merge

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
    found = fusing(fusing.prepare(levels()))
    fuser.train(training)  # or the next pass would be the next turn of who sits out
    torch.testing.assert_close(found, by_fuser(fuser, levels()), atol=1e-5, rtol=1e-4)


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
        ahead(ahead.prepare(pool(levels(), INPUTS))),
        later(later.prepare(levels())),
        strict=True,
    ):
        torch.testing.assert_close(
            early, late.mean(dim=(1, 3, 4), keepdim=True), atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize(
    ("fusion", "maps"),
    [({}, False), ({"method": "mlp"}, True), ({"method": "multiplication"}, True),
     ({"normalize": "layer"}, True), ({"projection": True}, True)],
)  # fmt: skip
def test_maps_are_needed_where_the_average_must_come_last(resolve, fusion, maps):
    task, changed = resolve("classification"), FIXED.model_copy(update=fusion)
    assert needs_maps(changed, task) == maps
    assert not needs_maps(changed, replace(task, head="knn"))
    assert needs_maps(changed, resolve("segmentation"))


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, LinearFusing), ({"fusion": "concat"}, Fusing), ({"normalize": "batch"}, Fusing),
     ({"projection": True}, Fusing)],
)  # fmt: skip
def test_only_what_is_linear_is_taken_ahead(options, kind):
    assert type(build_fusing(Fuser(INPUTS, **options), per_image=False, aggregation=None)) is kind


@pytest.mark.parametrize(
    ("aggregation", "pool", "average"),
    [("mean", True, True), ("concat", True, False), ("ltae", False, False)],
)
def test_pixels_and_dates_are_averaged_ahead_where_the_merge_allows_it(aggregation, pool, average):
    fusing = build_fusing(Fuser(INPUTS), per_image=True, aggregation=aggregation)
    assert (fusing.pool, fusing.average) == (pool, average)
    fusing = build_fusing(Fuser(INPUTS), per_image=False, aggregation=aggregation)
    assert (fusing.pool, fusing.average) == (False, average)


def test_dates_without_an_image_are_no_part_of_the_mean_ahead():
    fuser = Fuser(INPUTS).eval()
    ahead, later = (LinearFusing(fuser, pool=False, average=first) for first in (True, False))
    days = torch.tensor([[1.0, float("nan")], [1.0, 2.0], [float("nan")] * 2])
    merge = build_merge("mean", fuser.out_channels, 2)
    early = ahead(ahead.prepare(levels(), days))
    for mine, expected in zip(early, merge(later(later.prepare(levels())), days), strict=True):
        torch.testing.assert_close(mine[:, 0], expected, atol=1e-5, rtol=1e-4)
