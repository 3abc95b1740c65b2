"""Normalisers of pyramids."""

import torch

from eosfm.fusion.normalizers import BatchNorm, LayerNorm, PixelNorm


def test_batch_normalisation_of_single_values():
    norm = BatchNorm(3).train()
    x = torch.randn(1, 3, 1, 1)
    torch.testing.assert_close(norm(x), x, rtol=1e-4, atol=1e-4)
    assert norm.num_batches_tracked == 0
    norm(torch.randn(2, 3, 4, 4))
    assert norm.num_batches_tracked == 1


def test_layer_normalisation_is_of_a_whole_image():
    x = 5 + 3 * torch.randn(2, 6, 5, 4)
    for image in LayerNorm(6)(x):
        assert image.mean().abs() < 1e-5
        assert (image.std(correction=0) - 1).abs() < 1e-4
    assert not list(LayerNorm(6).state_dict())


def test_pixel_normalisation_is_timms():
    from timm.layers import LayerNorm2d

    ours, theirs = PixelNorm(6), LayerNorm2d(6)
    torch.nn.init.normal_(theirs.weight)
    torch.nn.init.normal_(theirs.bias)
    ours.load_state_dict(theirs.state_dict())
    x = 5 + 3 * torch.randn(2, 6, 5, 3)
    assert torch.equal(ours(x), theirs(x))
