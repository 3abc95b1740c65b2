"""One optimiser, one schedule."""

import pytest
import torch
from torch import nn

from eosfm.heads.muon import Muon
from eosfm.heads.optim import WEIGHT_DECAY, build_optimizer, build_schedule


def test_norms_and_biases_do_not_decay_and_frozen_weights_are_left_alone() -> None:
    module = nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Linear(4, 1))
    module[2].requires_grad_(False)
    optimizer = build_optimizer(module, 1e-3)
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    expected = {module[0].weight: WEIGHT_DECAY, module[0].bias: 0.0, module[1].weight: 0.0,
                module[1].bias: 0.0}  # fmt: skip
    assert decay == {id(parameter): value for parameter, value in expected.items()}


def test_everything_may_decay_in_any_optimiser() -> None:
    module = nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4))
    for name, kind in (("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("muon", Muon)):
        optimizer = build_optimizer(module, 1e-3, name=name, weight_decay=0.1, kernels_only=False)
        assert type(optimizer) is kind
        assert {group["weight_decay"] for group in optimizer.param_groups} == {0.1}


def test_the_rate_rises_to_its_highest_and_falls_to_nothing() -> None:
    optimizer = build_optimizer(nn.Linear(1, 1), 0.1, fused=False)
    schedule = build_schedule(optimizer, 0.1, steps=10)
    rates = []
    for _ in range(10):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(rates) < 10:
            schedule.step()
    assert max(rates) == pytest.approx(0.1) and rates.index(max(rates)) == 2
    assert rates[0] < 0.01 and rates[-1] < 1e-5
    assert isinstance(optimizer, torch.optim.AdamW)
