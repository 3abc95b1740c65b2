"""Normalisers of pyramids."""

import torch

from eosfm.fusion.normalizers import BatchNorm, LayerNorm


def test_batch_normalisation_normalises_before_training():
    norm = BatchNorm(3).eval()
    x = 50 + 10 * torch.randn(4, 3, 8, 8)
    assert norm(x).mean().abs() < 1e-4
    assert (norm(x).std() - 1).abs() < 0.01
    assert norm.num_batches_tracked == 0
    norm.train()(x)
    shifted = norm.eval()(x + 1000)  # from now on the tracked statistics count
    assert shifted.mean() > 10

    again = BatchNorm(3).eval()
    again.load_state_dict(norm.state_dict())
    assert torch.equal(again(x + 1000), shifted)
    again.load_state_dict(BatchNorm(3).state_dict())
    assert again(x).mean().abs() < 1e-4


def test_batch_normalisation_of_single_values():
    norm = BatchNorm(3).train()
    x = torch.randn(1, 3, 1, 1)
    assert torch.isfinite(norm(x)).all()
    assert norm.num_batches_tracked == 0


def test_layer_normalisation_is_timms():
    from timm.layers import LayerNorm2d

    ours, theirs = LayerNorm(6), LayerNorm2d(6)
    torch.nn.init.normal_(theirs.weight)
    torch.nn.init.normal_(theirs.bias)
    ours.load_state_dict(theirs.state_dict())
    x = 5 + 3 * torch.randn(2, 6, 5, 3)
    assert torch.equal(ours(x), theirs(x))
