"""Depthwise convolutions: the same maps and gradients as torch's own way."""

import pytest
import torch
from torch import nn

from eosfm.nn.backbone import build_backbone
from eosfm.nn.depthwise import LeanDepthwise, is_depthwise, use_lean_depthwise


def gradients(layer: nn.Conv2d, x: torch.Tensor, pull: torch.Tensor) -> list[torch.Tensor]:
    """A map and the gradients of the input and the parameters."""
    layer.zero_grad()
    x = x.clone().requires_grad_()
    output = layer(x)
    output.backward(pull)
    assert x.grad is not None
    return [output.detach(), x.grad, *(p.grad for p in layer.parameters() if p.grad is not None)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(16, 16), (8, 4), (2, 2), (1, 1), (15, 9)])
@pytest.mark.parametrize("kernel", [7, 3])
def test_gradients_are_those_of_the_convolution(
    size: tuple[int, int], kernel: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(6, 6, kernel, padding=kernel // 2, groups=6, bias=bias)
    for memory in (torch.contiguous_format, torch.channels_last):
        x, pull = (torch.randn(3, 6, *size).to(memory_format=memory) for _ in range(2))
        layer.__class__ = nn.Conv2d
        plain = gradients(layer, x, pull)
        use_lean_depthwise(layer)
        assert type(layer) is LeanDepthwise
        for lean, expected in zip(gradients(layer, x, pull), plain, strict=True):
            torch.testing.assert_close(lean, expected, rtol=1e-4, atol=1e-5)


def test_a_frozen_input_or_kernel_has_no_gradient() -> None:
    layer = nn.Conv2d(4, 4, 7, padding=3, groups=4)
    use_lean_depthwise(layer)
    x = torch.randn(2, 4, 8, 8)
    layer(x).sum().backward()  # x asks for none
    assert layer.weight.grad is not None
    layer.requires_grad_(False)
    x.requires_grad_()
    layer(x).sum().backward()
    assert x.grad is not None


def test_only_what_keeps_the_size_is_computed_so() -> None:
    others = (
        nn.Conv2d(4, 4, 7, padding=3),
        nn.Conv2d(4, 8, 7, padding=3, groups=4),
        nn.Conv2d(4, 4, 7, padding=2, groups=4),
        nn.Conv2d(4, 4, 7, padding=3, groups=4, stride=2),
        nn.Conv2d(4, 4, 7, padding=6, groups=4, dilation=2),
        nn.Conv2d(4, 4, 7, padding=3, groups=4, padding_mode="circular"),
        nn.Conv2d(4, 4, 2, padding=1, groups=4),
    )
    assert not any(is_depthwise(other) for other in others)


def test_the_encoders_have_them() -> None:
    model = build_backbone("convnextv2_atto", 3)
    kernels = [module for name, module in model.named_modules() if name.endswith("conv_dw")]
    assert len(kernels) == 12
    assert all(isinstance(kernel, LeanDepthwise) for kernel in kernels)


def test_it_can_be_differentiated_twice_and_by_torch_func() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 2, 3, padding=1, groups=2).double()
    use_lean_depthwise(layer)
    x = torch.randn(1, 2, 4, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, x)
    weights = dict(layer.named_parameters())
    by_func = torch.func.grad(
        lambda given: torch.func.functional_call(layer, given, x).square().sum()
    )(weights)
    layer(x).square().sum().backward()
    torch.testing.assert_close(by_func["weight"], weights["weight"].grad)
