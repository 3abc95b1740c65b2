"""How the features of several dates become one pyramid."""

import math
from itertools import product

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.heads.muon import mixes_channels
from eosfm.heads.temporal import LTAE, build_merge, day_encoding

CHANNELS = [12, 16]
DAYS = torch.tensor([[10.0, 100.0, 200.0], [30.0, 90.0, 300.0]])


def maps(dates: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, dates, c, 4, 4, generator=generator) for c in CHANNELS]


@pytest.mark.parametrize("aggregation", ["mean", "linear"])
def test_a_single_date_passes_unchanged(aggregation):
    merge = build_merge(aggregation, CHANNELS, 1)
    torch.testing.assert_close(merge(maps(1), DAYS[:, :1]), [level[:, 0] for level in maps(1)])


def test_mean_and_untrained_linear_are_the_mean():
    for aggregation, dates in product(("mean", "linear"), (2, 3)):
        merged = build_merge(aggregation, CHANNELS, dates)(maps(dates), DAYS[:, :dates])
        torch.testing.assert_close(merged, [level.mean(1) for level in maps(dates)])


def test_weights_of_dates_are_no_kernels_to_be_made_orthogonal():
    merge = build_merge("linear", CHANNELS, 3)
    assert not any(mixes_channels(weight) for weight in merge.parameters())


def test_linear_weighs_dates_per_channel():
    merge = build_merge("linear", [1], 2)
    merge.weights[0].data = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1, 1)
    series = torch.tensor([[[[[3.0]]], [[[5.0]]]]])
    assert merge([series], DAYS)[0].item() == 1.0


def test_change_is_side_by_side_or_second_minus_first():
    series = maps(2)
    side, apart = (build_merge(a, CHANNELS, 2) for a in ("concat", "difference"))
    assert side.out_channels == [24, 32] and apart.out_channels == CHANNELS
    assert torch.equal(side(series, DAYS)[0][:, 12:], series[0][:, 1])
    assert torch.equal(apart(series, DAYS)[0], series[0][:, 1] - series[0][:, 0])


def test_attention_goes_by_the_day_and_not_by_the_place():
    merge = build_merge("ltae", CHANNELS, 3)
    order = torch.tensor([2, 0, 1])
    usual = merge(maps(), DAYS)
    moved = merge([level[:, order] for level in maps()], DAYS[:, order])
    relabelled = merge([level[:, order] for level in maps()], DAYS)
    torch.testing.assert_close(usual, moved)
    assert not torch.allclose(usual[0], relabelled[0], atol=1e-3)
    linear = build_merge("linear", CHANNELS, 3)
    linear.weights[0].data[:, 0] = 2.0
    assert not torch.allclose(
        linear(maps(), DAYS)[0], linear([m[:, order] for m in maps()], DAYS)[0]
    )


def test_attention_leaves_unknown_dates_out():
    attend = LTAE(12)
    series = maps()[0]
    days = DAYS.clone()
    days[:, 1] = math.nan
    other = series.clone()
    other[:, 1] = 1e3
    torch.testing.assert_close(attend(series, days), attend(other, days))
    assert not torch.allclose(attend(series, DAYS), attend(other, DAYS))


@pytest.mark.parametrize("aggregation", ["mean", "linear"])
def test_a_date_without_an_image_is_left_out(aggregation):
    merge = build_merge(aggregation, CHANNELS, 3)
    days = DAYS.clone()
    days[0, 1] = math.nan
    merged = merge(maps(), days)
    for level, original in zip(merged, maps(), strict=True):
        torch.testing.assert_close(level[0], original[0, [0, 2]].mean(0))
        torch.testing.assert_close(level[1], original[1].mean(0))


def test_weights_of_dates_without_an_image_go_to_the_others():
    merge = build_merge("linear", [1], 2)
    merge.weights[0].data = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1, 1)
    series = torch.tensor([3.0, math.nan]).view(1, 2, 1, 1, 1)
    assert merge([series], torch.tensor([[7.0, math.nan]]))[0].item() == 2 * 2.0 * 3.0


@pytest.mark.parametrize("aggregation", ["mean", "linear"])
def test_where_no_day_is_known_all_dates_count(aggregation):
    merge = build_merge(aggregation, CHANNELS, 3)
    days = torch.full((2, 3), math.nan)
    torch.testing.assert_close(merge(maps(), days), merge(maps(), DAYS))


def test_every_weight_of_the_attention_gets_a_gradient():
    merge = build_merge("ltae", CHANNELS, 3)
    sum(level.square().sum() for level in merge(maps(), DAYS)).backward()
    for name, parameter in merge.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_attention_without_dates_says_what_to_do():
    with pytest.raises(EosfmError, match=r"needs the dates.*use mean or linear"):
        days = torch.cat([DAYS[:1], torch.full((1, 3), math.nan)])
        build_merge("ltae", CHANNELS, 3)(maps(), days)


def test_the_encoding_of_a_day_by_hand():
    code = day_encoding(torch.tensor([[0.0, 50.0]]), 4)
    assert code[0, 0].tolist() == [0, 1, 0, 1]
    slow = 50 / 1000**0.5
    expected = [math.sin(50), math.cos(50), math.sin(slow), math.cos(slow)]
    torch.testing.assert_close(code[0, 1], torch.tensor(expected))
