"""When a gradient of our own may stand in for torch's."""

import torch
from torch import Tensor
from torch.autograd import forward_ad


def can_replace_gradient(x: Tensor) -> bool:
    """Whether a ``torch.autograd.Function`` of x is of use, and understood by what runs it.

    A traced graph would keep it as one opaque step. ``torch.func`` and forward mode differentiate
    what torch knows alone.
    """
    return (
        torch.is_grad_enabled()
        and x.requires_grad
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
    )
