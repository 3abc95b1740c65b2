"""What a method of fusion is, and what several of them share."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from eosfm.core.named import named
from eosfm.fusion import FUSIONS

Maps = Sequence[Tensor | None]
"""One map (B, C, h, w) per input, all of one level; None for an input that is not in use."""
Gates = Sequence[Tensor | None]
"""One factor per input; None for one."""


class Method(nn.Module):
    """Fuses the maps of one level; every level has a module of its own.

    Subclasses take ``widths``, the channels of each input's map, and ``width``, the channels that
    the options ask for, which methods without weights need not give.

    Attributes:
        equal_channels: Whether the maps of all inputs must have the same channels.
        out_channels: Channels of the fused map.
    """

    equal_channels = False
    out_channels: int

    def fuse(self, maps: Maps, gates: Gates) -> Tensor:
        """Fuse to (B, out_channels, h, w)."""
        raise NotImplementedError

    def keep(self, indices: Sequence[int]) -> None:
        """Keep only some inputs; the output is that of gates of zero for the others.

        The default is for methods that hold nothing per input.
        """


class EqualMethod(Method):
    """Fuses maps of equal channels to one of as many, without weights."""

    equal_channels = True

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.out_channels = widths[0]


def get_method(name: str) -> type[Method]:
    """A method's class, by its name in :data:`eosfm.fusion.FUSIONS`."""
    method: type[Method] = named(FUSIONS[name])
    return method


def gated(maps: Maps, gates: Gates) -> list[Tensor | None]:
    """The maps times their gates."""
    return [
        values if values is None or gate is None else values * gate
        for values, gate in zip(maps, gates, strict=True)
    ]


def side_by_side(maps: Maps, widths: Sequence[int]) -> Tensor:
    """The maps along the channels, zeros for those that are not in use."""
    some = next(values for values in maps if values is not None)
    zero = some.new_zeros(1, 1, 1, 1)
    return torch.cat(
        [
            zero.expand(some.shape[0], width, *some.shape[2:]) if values is None else values
            for values, width in zip(maps, widths, strict=True)
        ],
        dim=1,
    )


def keep_channels(conv: nn.Conv2d, widths: Sequence[int], indices: Sequence[int]) -> None:
    """Keep a convolution's weights for some of the maps side by side, in place."""
    parts = conv.weight.detach().split(list(widths), dim=1)
    kept = torch.cat([parts[index] for index in indices], dim=1)
    conv.weight = nn.Parameter(kept, conv.weight.requires_grad)
    conv.in_channels = kept.shape[1]
