"""Bilinear resizing in decoders, where torch's own is slow or not the same each time.

On GPUs torch's kernel adds up gradients in any order, so that no two trainings are the same. Its
deterministic form takes seven times as long as a whole training step of UPerNet; one matrix product
per side is deterministic as well, and shortens the step by a quarter to a half. On CPUs it is slow
where gradients are slices of others (``benchmarks/README.md``).
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
    """A context for a decoder of ``maps``, in which bilinear resizing is as its device likes it."""
    if torch.compiler.is_compiling():
        return nullcontext()
    if maps.is_cuda:
        return ResizeByProducts()
    return ResizeWholeGradients() if torch.is_grad_enabled() else nullcontext()


class ResizeWholeGradients(TorchFunctionMode):
    """While it is on, the gradient of a resized map is laid out as the map itself.

    Where maps are put side by side, the gradient of each is a slice, for which torch takes up to
    ten times as long, to the same bits.
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
    """While it is on, bilinear ``F.interpolate`` to a size is :func:`resize_by_products`."""

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
    """What ``F.interpolate`` gives for ``mode="bilinear"``.

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
    """(new, old): what each new cell has of each old one."""
    # Of use to every later call, also to one that trains.
    with torch.inference_mode(False), torch.autocast(device.type, enabled=False):
        each = torch.eye(old, device=device)[None]
        weights = F.interpolate(each, size=new, mode="linear", align_corners=align_corners)
        return weights[0].T.to(dtype).contiguous()
