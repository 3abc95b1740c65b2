"""The gradient of depthwise kernels, several times as fast on CPUs.

oneDNN computes it ten times as slowly as the convolution itself. It is a depthwise convolution too:
of each channel of each image, with the output's gradient as its kernel, for which oneDNN is fast
(``benchmarks/README.md``). Sums have another order, so last digits differ.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.nn.gradients import can_replace_gradient


class LeanDepthwise(nn.Conv2d):
    """The same function, parameters and keys as a convolution that :func:`is_depthwise`."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, H, W)."""
        if (
            x.device.type == "cpu"
            and can_replace_gradient(self.weight)
            and not torch.is_autocast_enabled("cpu")
        ):
            output: Tensor = _Depthwise.apply(x, self.weight, self.bias)
            return output
        return super().forward(x)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve at stride 1, padded to the size of the input."""
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=_padding(weight), groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """Gradients of the input, the weight and the bias."""
        x, weight = ctx.saved_tensors
        of_input, of_bias = None, None
        if ctx.needs_input_grad[0]:
            flipped = weight.flip(-2, -1)
            of_input = F.conv2d(gradient, flipped, padding=_padding(weight), groups=len(weight))
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum((0, 2, 3))
        return of_input, _weight_gradient(x, gradient, weight), of_bias


def _weight_gradient(x: Tensor, gradient: Tensor, weight: Tensor) -> Tensor:
    """(C, 1, h, w), of (B, C, H, W) each."""
    batch, channels, height, width = x.shape
    # Channels last: the channels of all images side by side.
    beside = x.permute(2, 3, 0, 1).reshape(1, height, width, -1).permute(0, 3, 1, 2)
    kernels = gradient.reshape(batch * channels, 1, height, width)
    each = F.conv2d(beside, kernels, padding=_padding(weight), groups=len(kernels))
    return each.view(batch, *weight.shape).sum(0)


def _padding(weight: Tensor) -> tuple[int, int]:
    return weight.shape[-2] // 2, weight.shape[-1] // 2


def is_depthwise(module: nn.Module) -> bool:
    """Whether a module is a depthwise convolution that keeps the size of its input."""
    return (
        type(module) is nn.Conv2d
        and module.groups == module.in_channels == module.out_channels > 1
        and module.stride == module.dilation == (1, 1)
        and all(size % 2 for size in module.kernel_size)
        and module.padding == tuple(size // 2 for size in module.kernel_size)
        and module.padding_mode == "zeros"
    )


def use_lean_depthwise(model: nn.Module) -> None:
    """Compute the gradient of every depthwise kernel of a model the lean way, in place."""
    for module in model.modules():
        if is_depthwise(module):
            module.__class__ = LeanDepthwise
