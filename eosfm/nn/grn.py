"""ConvNeXt V2's global response normalisation in fewer passes over its input.

timm's layer reduces strided maps slowly: 29 % of an encoder call and 40 % of a training step on
two CPU cores went there (``benchmarks/README.md``).
"""

from typing import Any

import torch
from timm.layers.grn import GlobalResponseNorm
from torch import Tensor, nn

from eosfm.nn.gradients import can_replace_gradient


class LeanResponseNorm(GlobalResponseNorm):
    """The same function, parameters and keys as timm's layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) or (B, H, W, C)."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # squares overflow half precision
        lean = can_replace_gradient(wide)
        squares = (_SumOfSquares.apply if lean else _sum_of_squares)(wide, self.spatial_dim)
        # The square root has no gradient at zero; below the smallest number it is constant.
        norm = squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt()
        share = norm / (norm.mean(self.channel_dim, keepdim=True) + self.eps)
        gain = 1 + self.weight.view(self.wb_shape) * share
        return torch.addcmul(self.bias.view(self.wb_shape), x, gain).to(x.dtype)


def _sum_of_squares(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    return (x * x).sum(dims, keepdim=True)


class _SumOfSquares(torch.autograd.Function):
    """The same, with its gradient, 2x, in one pass instead of the product's three."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dims: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x)
        return _sum_of_squares(x, dims)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return 2 * gradient * x, None


def use_lean_norms(model: nn.Module) -> None:
    """Compute every response norm of a model the lean way, in place."""
    for module in model.modules():
        if type(module) is GlobalResponseNorm:
            module.__class__ = LeanResponseNorm
