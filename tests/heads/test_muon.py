"""Steps of matrices are orthogonal; the rest is AdamW's."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from eosfm.heads.muon import BLOCK, STEP, Muon, mixes_channels, orthogonalize


@pytest.fixture(autouse=True)
def drawn_alike() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(2, 6, 24), (1, 24, 6), (3, 5, 5)])
def test_singular_vectors_stay_and_singular_values_become_alike(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape)
    result = orthogonalize(matrices)
    assert result.shape == matrices.shape
    u, values, v = torch.linalg.svd(matrices, full_matrices=False)
    inside = u.mT @ result @ v.mT
    diagonal = inside.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(inside, torch.diag_embed(diagonal), atol=1e-4, rtol=0)
    large = diagonal[values > values.amax(1, keepdim=True) / 10]
    assert large.min() > 0.6 and large.max() < 1.25 and diagonal.min() > -1e-4


def test_a_size_makes_no_difference_and_zeros_stay() -> None:
    matrices = torch.randn(1, 4, 8)
    torch.testing.assert_close(orthogonalize(matrices), orthogonalize(1e-3 * matrices))
    assert not orthogonalize(torch.zeros(1, 3, 5)).any()


def test_kernels_of_one_channel_and_vectors_do_not_mix() -> None:
    shapes = {
        (8, 4): True,
        (8, 4, 3, 3): True,
        (8, 1, 7, 7): False,
        (1, 8, 1, 1): False,
        (8,): False,
    }
    assert {shape: mixes_channels(torch.zeros(shape)) for shape in shapes} == shapes


@pytest.mark.parametrize(("rows", "block"), [(2 * BLOCK, BLOCK), (96, 32), (97, 97)])
def test_large_matrices_are_made_orthogonal_in_equal_blocks_of_their_smaller_side(
    rows: int, block: int
) -> None:
    matrix = torch.randn(2, rows, 5 * BLOCK)
    parts = orthogonalize(matrix.reshape(-1, block, 5 * BLOCK)) if block < rows else None
    result = orthogonalize(matrix)
    if parts is not None:
        torch.testing.assert_close(result, parts.view(matrix.shape))
        torch.testing.assert_close(orthogonalize(matrix.mT), result.mT)
    values = torch.linalg.svdvals(result.reshape(-1, block, 5 * BLOCK))
    assert values.min() > 0.6 and values.max() < 1.25


def module() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.GroupNorm(2, 8),
        nn.Conv2d(8, 8, 1), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip


def train(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()


def test_what_does_not_mix_is_trained_as_by_adamw_and_what_does_by_steps_of_a_known_size() -> None:
    ours, images = module(), torch.randn(4, 3, 2, 2)
    theirs, before = copy.deepcopy(ours), copy.deepcopy(ours)
    train(ours, Muon(ours.parameters(), lr=1e-3, weight_decay=0.1), images, steps=1)
    train(theirs, AdamW(theirs.parameters(), lr=1e-3, weight_decay=0.1), images, steps=1)
    for mine, other, old in zip(
        ours.parameters(), theirs.parameters(), before.parameters(), strict=True
    ):
        if not mixes_channels(mine):
            assert torch.equal(mine, other)
            continue
        step = ((1 - 1e-4) * old - mine).detach()
        values = torch.linalg.svdvals(step.flatten(1))
        size = 1e-3 * STEP * max(len(old), old[0].numel()) ** 0.5
        assert 0.6 * size < values[0] < 1.25 * size
        assert mine.grad is not None


def test_a_state_that_was_saved_goes_on_to_the_same_weights() -> None:
    whole, images = module(), torch.randn(4, 3, 2, 2)
    half = copy.deepcopy(whole)
    train(whole, Muon(whole.parameters(), lr=1e-2), images, steps=4)
    optimizer = Muon(half.parameters(), lr=1e-2)
    train(half, optimizer, images, steps=2)
    resumed = Muon(half.parameters(), lr=1e-2)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(half, resumed, images, steps=2)
    for a, b in zip(whole.parameters(), half.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_closure_has_gradients_and_its_loss_comes_back() -> None:
    model, images = module(), torch.randn(4, 3, 2, 2)
    optimizer = Muon(model.parameters(), lr=1e-2)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = model(images).square().mean()
        loss.backward()
        return loss

    first, last = optimizer.step(closure), [optimizer.step(closure) for _ in range(20)][-1]
    assert last < first
    frozen = [p for p in model.parameters() if p.grad is None]
    assert not frozen
