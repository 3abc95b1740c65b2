"""Bilinear resizing for decoders, where torch's own is slow or not deterministic.

On GPUs torch's kernel sums gradients in arbitrary order, so that no two trainings are the same. Its
deterministic form takes seven times as long as a whole training step of UPerNet; one matrix product
per side is deterministic too, and shortens the step by a quarter to a half. On CPUs torch's kernel
is slow for gradients that are slices of larger tensors (``benchmarks/README.md``).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


def fast_resizing(maps: Tensor) -> AbstractContextManager[Any]:
    """Context for a decoder of ``maps`` in which bilinear resizing suits their device."""
    if torch.compiler.is_compiling():
        return nullcontext()
    if maps.is_cuda:
        return ResizeByProducts()
    return ResizeWholeGradients() if torch.is_grad_enabled() else nullcontext()


class ResizeWholeGradients(TorchFunctionMode):
    """While active, the gradient of a resized map is made contiguous, in the map's memory format.

    Where maps are concatenated, the gradient of each is a slice, for which torch takes up to ten
    times as long.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call a function of torch."""
        result = func(*args, **(kwargs or {}))
        if func is F.interpolate and result.requires_grad:
            last = result.is_contiguous(memory_format=torch.channels_last)
            layout = torch.channels_last if last else torch.contiguous_format
            result.register_hook(lambda gradient: gradient.contiguous(memory_format=layout))
        return result


class ResizeByProducts(TorchFunctionMode):
    """While active, bilinear ``F.interpolate`` calls :func:`resize_by_products`."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call a function of torch."""
        kwargs = kwargs or {}
        if func is F.interpolate and kwargs.get("mode") == "bilinear":
            return resize_by_products(
                args[0], tuple(kwargs["size"]), bool(kwargs.get("align_corners"))
            )
        return func(*args, **kwargs)


def resize_by_products(maps: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """Bilinear ``F.interpolate``, as one matrix product per side.

    Args:
        maps: (B, C, h, w).
        size: H and W.
        align_corners: Whether the outermost cells' centres stay where they are.

    Returns:
        (B, C, H, W), in autocast's type where it is on.
    """
    kind = maps.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else maps.dtype
    across, down = (
        _weights(old, new, align_corners, maps.device, dtype)
        for old, new in zip(reversed(maps.shape[-2:]), reversed(size), strict=True)
    )
    rows = torch.matmul(across, maps.to(dtype).permute(0, 2, 3, 1))  # (B, h, W, C)
    whole = torch.matmul(down, rows.flatten(2))  # (B, H, W * C)
    return whole.unflatten(2, rows.shape[-2:]).permute(0, 3, 1, 2)


@lru_cache(maxsize=256)
def _weights(
    old: int, new: int, align_corners: bool, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Interpolation weights (new, old) along one side."""
    # Cached for later calls, which may train: no inference tensor.
    with torch.inference_mode(False), torch.autocast(device.type, enabled=False):
        each = torch.eye(old, device=device)[None]
        weights = F.interpolate(each, size=new, mode="linear", align_corners=align_corners)
        return weights[0].T.to(dtype).contiguous()
