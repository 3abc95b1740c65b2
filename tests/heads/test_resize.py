from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F

from eosfm.heads import decoders
from eosfm.heads.decoders import UPerNetHead
from eosfm.heads.resize import ResizeByProducts, fast_resizing, resize_by_products


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(7, 12), (14, 5), (3, 4), (1, 1), (28, 48)])
def test_products_interpolate(size, align_corners):
    maps = torch.randn(2, 3, 7, 12, dtype=torch.float64, requires_grad=True)
    expected = F.interpolate(maps, size=size, mode="bilinear", align_corners=align_corners)
    found = resize_by_products(maps, size, align_corners)
    assert torch.allclose(found, expected, atol=1e-5)
    weight = torch.randn(expected.shape, dtype=torch.float64)
    gradients = [torch.autograd.grad((y * weight).sum(), maps)[0] for y in (found, expected)]
    assert torch.allclose(*gradients, atol=1e-4)


def test_a_decoder_that_resizes_by_products_says_the_same(monkeypatch):
    head = UPerNetHead((8, 8, 8, 8), 3, 8).eval()
    maps = [torch.randn(2, 8, n, n) for n in (16, 8, 4, 2)]
    expected, sizes = head(maps, (64, 60)), []

    def counted(maps, size, align_corners):
        sizes.append(size)
        return resize_by_products(maps, size, align_corners)

    monkeypatch.setattr(decoders, "fast_resizing", lambda _: ResizeByProducts())
    monkeypatch.setattr("eosfm.heads.resize.resize_by_products", counted)
    assert torch.allclose(head(maps, (64, 60)), expected, atol=1e-5)
    assert (64, 60) in sizes and (16, 16) in sizes  # the library's resizing as well as ours


def test_other_modes_are_left_alone():
    maps = torch.randn(1, 1, 2, 2)
    with ResizeByProducts():
        assert torch.equal(
            F.interpolate(maps, size=(4, 4)), maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
        )


def test_weights_made_while_predicting_serve_a_training():
    maps = torch.randn(1, 1, 3, 5)
    with torch.inference_mode():
        resize_by_products(maps, (11, 13), False)
    maps.requires_grad_()
    resize_by_products(maps, (11, 13), False).sum().backward()
    assert maps.grad is not None


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_on_a_cpu_gradients_are_whole_and_the_same(layout):
    maps = torch.randn(2, 3, 5, 7).contiguous(memory_format=layout).requires_grad_()
    weight = torch.randn(2, 6, 9, 14).contiguous(memory_format=layout)
    whole, gradients = [], []
    for context in (nullcontext(), fast_resizing(maps)):
        with context:
            resized = F.interpolate(maps, size=(9, 14), mode="bilinear")
        resized.register_hook(lambda g: whole.append(g.is_contiguous(memory_format=layout)))
        beside = torch.cat([torch.zeros_like(resized), resized], dim=1)
        gradients += torch.autograd.grad((beside * weight).sum(), maps)
    assert whole == [False, True]
    assert torch.allclose(*gradients, rtol=0, atol=1e-6)


def test_on_a_cpu_nothing_changes_where_nothing_is_learnt():
    with torch.no_grad(), fast_resizing(torch.zeros(1)) as mode:
        assert mode is None
