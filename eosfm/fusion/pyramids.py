"""Check that pyramids are those that a fuser was made for."""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from eosfm.core.errors import EosfmError, expect
from eosfm.encoding.input import InputSpec, expect_map

Pyramid = Sequence[Tensor]
"""Four levels (B, C, H/s, W/s), s in 4, 8, 16, 32."""


def check_pyramids(
    inputs: Sequence[InputSpec],
    pyramids: Sequence[Pyramid | None],
    needed: Collection[int],
    weights: Tensor,
) -> None:
    """Refuse pyramids that torch would fail on, or misinterpret.

    Args:
        inputs: What a pyramid is expected for, each.
        pyramids: One per input, None where it is not in use.
        needed: Indices of those in use.
        weights: One of the fuser's, on its device and of its type.

    Raises:
        EosfmError: One that is needed is missing; or they are no float maps of the inputs' channels
            on the fuser's device, or of different images; or the fuser's weights are not float32.
    """
    several = isinstance(pyramids, (list, tuple))
    expect("what is fused", pyramids, several, "a list with a pyramid per entry of inputs")
    if len(pyramids) != len(inputs):
        raise EosfmError(
            f"{len(pyramids)} pyramids given, {len(inputs)} expected; give one per entry of inputs"
        )
    if weights.dtype != torch.float32:
        raise EosfmError(
            f"the fusion's weights are {weights.dtype}, expected torch.float32; leave them so, "
            "and use torch.autocast"
        )
    first = None
    for index, (spec, pyramid) in enumerate(zip(inputs, pyramids, strict=True)):
        if pyramid is None and index not in needed:
            continue
        sizes = _sizes(spec, pyramid, weights.device)
        first = first or sizes
        if sizes != first:
            raise EosfmError(
                f"pyramid of {spec.name!r} has maps of {sizes}, another one of {first} (batch, "
                "height, width); encode both from the same images"
            )


def _sizes(spec: InputSpec, pyramid: Any, device: torch.device) -> list[tuple[int, ...]]:
    """Batch, height and width of a pyramid's levels, once they are what its input is to give."""
    what = f"pyramid of {spec.name!r}"
    expect(what, pyramid, isinstance(pyramid, (list, tuple)), "its levels, as encode gives")
    for level in pyramid:
        expect_map(f"a level of the {what}", level, device)
        fits = level.ndim == 4 and level.is_floating_point() and level.numel() > 0
        found = f"{level.dtype} {tuple(level.shape)}"
        expect(f"a level of the {what}", found, fits, "float (batch, channels, height, width)")
    channels = tuple(level.shape[1] for level in pyramid)
    if channels != spec.channels:
        raise EosfmError(
            f"{what} has channels {channels}, expected {spec.channels}; "
            "encode it with the same ensemble"
        )
    return [(level.shape[0], *level.shape[2:]) for level in pyramid]
