"""ConvNeXt V2's global response normalisation in fewer passes over its input.

timm's layer reduces strided maps slowly: 29 % of an encoder call and 40 % of a training step on
two CPU cores went there (``benchmarks/README.md``).
"""

import torch
from timm.layers.grn import GlobalResponseNorm
from torch import Tensor, nn


class LeanResponseNorm(GlobalResponseNorm):
    """The same function, parameters and keys as timm's layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) or (B, H, W, C)."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # squares overflow half precision
        # The gradient of sum(x**2), 2x, in one pass instead of the square's three: that of
        # sum(constant * x), doubled where maps are already summed up.
        half = (wide.detach() * wide).sum(self.spatial_dim, keepdim=True)
        squares = 2 * half - half.detach()
        # The square root has no gradient at zero; below the smallest number it is constant.
        norm = squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt()
        share = norm / (norm.mean(self.channel_dim, keepdim=True) + self.eps)
        gain = 1 + self.weight.view(self.wb_shape) * share
        return torch.addcmul(self.bias.view(self.wb_shape), x, gain).to(x.dtype)


def use_lean_norms(model: nn.Module) -> None:
    """Compute every response norm of a model the lean way, in place."""
    for module in model.modules():
        if type(module) is GlobalResponseNorm:
            module.__class__ = LeanResponseNorm
