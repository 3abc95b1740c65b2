"""Where models run, and in which precision."""

from functools import cache
from typing import Any

import torch


@cache  # without a GPU, torch looks for one anew each time: a fortieth of the time of a fit's steps
def device() -> torch.device:
    """The first GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast() -> torch.autocast:
    """bfloat16 where the device multiplies faster in it; float32 on the CPU."""
    kind = device().type
    return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda")


def to_device(data: Any) -> Any:
    """Move tensors in nested lists to where models run."""
    if isinstance(data, torch.Tensor):
        return data.to(device())
    return type(data)(to_device(item) for item in data)
