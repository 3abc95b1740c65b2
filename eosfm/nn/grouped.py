"""Several ConvNeXt V2 encoders of one shape as one: a call for all of them instead of one each.

At 64 px an encoder is some 400 small operations, and a GPU waits for each to be called. Here one
operation does the work of all members. Their maps lie side by side, (B, H, W, E, C) in memory for
E members: the channels of one depthwise convolution, and the batch of one batched matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.nn.depthwise import LeanDepthwise

S = TypeVar("S", bound="_Linear | _Halving | _Block")

SMALLEST = 4
"""Pixels. On an H100 cuDNN takes 60 ms for a 7x7 depthwise convolution of smaller maps in half
precision, and 0.05 in single."""


def groupable(model: nn.Module) -> bool:
    """Whether a timm model is a ConvNeXt V2 as :class:`GroupedEncoders` computes it."""
    from timm.layers import GELU
    from timm.layers.grn import GlobalResponseNorm
    from timm.models.convnext import ConvNeXtBlock

    blocks: list[Any] = [m for m in model.modules() if isinstance(m, ConvNeXtBlock)]
    return bool(blocks) and all(
        block.use_conv_mlp
        and block.gamma is None
        and isinstance(block.shortcut, nn.Identity)
        and isinstance(block.mlp.act, (nn.GELU, GELU))
        # Adapters that stand in a layer's place compute more than it does.
        and type(block.conv_dw) in (nn.Conv2d, LeanDepthwise)
        and type(block.mlp.fc1) is type(block.mlp.fc2) is nn.Conv2d
        and isinstance(getattr(block.mlp, "grn", None), GlobalResponseNorm)
        for block in blocks
    )


class GroupedEncoders:
    """Several frozen encoders computed as one, with copies of their weights.

    They may differ in the channels of their input. Scales and shifts of normalisations are folded
    into the linear layers that follow.

    Args:
        models: :func:`groupable` models of equal depths and widths.
    """

    @torch.no_grad()
    def __init__(self, models: Sequence[nn.Module]) -> None:
        every: list[Any] = list(models)
        self.stems = [nn.Sequential(model.stem_0, model.stem_1) for model in every]
        stages = [[getattr(model, f"stages_{level}") for model in every] for level in range(4)]
        self.device = next(every[0].parameters()).device.type
        with torch.autocast(self.device, enabled=False):  # products of weights, in their precision
            self.stages = [_stage(members) for members in stages]
        self._halved: dict[torch.dtype, list[list[_Halving | _Block]]] = {}

    def __call__(self, images: Sequence[Tensor]) -> list[list[Tensor]]:
        """Encode one batch of images per member.

        Args:
            images: (B, in_chans, H, W) each, of one B, H and W, the latter multiples of 32.

        Returns:
            A pyramid per member: four maps (B, C, H/s, W/s), s in 4, 8, 16, 32; in autocast's type
            where it is on.
        """
        stems = zip(self.stems, images, strict=True)
        x = torch.stack([stem(image).permute(0, 2, 3, 1) for stem, image in stems], dim=3)
        stages = self.stages
        if torch.is_autocast_enabled(self.device):
            # Autocast would cast the weights in every call, and normalise in single precision.
            dtype = torch.get_autocast_dtype(self.device)
            stages, x = self._in(dtype), x.to(dtype)
        levels = []
        with torch.autocast(self.device, enabled=False):
            for steps in stages:
                for step in steps:
                    x = step(x)
                levels.append(x.permute(3, 0, 4, 1, 2).unbind())
        return [list(pyramid) for pyramid in zip(*levels, strict=True)]

    def _in(self, dtype: torch.dtype) -> "list[list[_Halving | _Block]]":
        """The stages with their weights in another type."""
        if dtype not in self._halved:
            self._halved[dtype] = [[_cast(step, dtype) for step in steps] for steps in self.stages]
        return self._halved[dtype]


def _cast(step: S, dtype: torch.dtype) -> S:
    """The same with its tensors in another type."""
    values: dict[str, Any] = {}
    for field in fields(step):
        value = getattr(step, field.name)
        if isinstance(value, Tensor):
            values[field.name] = value.to(dtype)
        elif isinstance(value, _Linear):
            values[field.name] = _cast(value, dtype)
    return replace(step, **values)


def _stage(stages: Sequence[Any]) -> "list[_Halving | _Block]":
    """What one stage of all members does, step by step."""
    blocks = zip(*(stage.blocks for stage in stages), strict=True)
    steps: list[_Halving | _Block] = [_Block.of(members) for members in blocks]
    if not isinstance(stages[0].downsample, nn.Identity):
        steps.insert(0, _Halving.of([stage.downsample for stage in stages]))
    return steps


@dataclass(frozen=True)
class _Linear:
    """A linear map per member.

    Attributes:
        weight: (E, C, C').
        bias: (E, 1, C').
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Map (E, N, C) to (E, N, C')."""
        return torch.baddbmm(self.bias, x, self.weight)

    def after(self, scale: Tensor, shift: Tensor) -> "_Linear":
        """The map with a scale and shift of its input, (E, C) each, folded in."""
        return _Linear(self.weight * scale[:, :, None], self(shift[:, None]))

    @classmethod
    def of(cls, layers: Sequence[nn.Conv2d]) -> "_Linear":
        """Of 1x1 convolutions, or of larger ones for patches (row, column, channel) of a map."""
        weight = _stack([layer.weight.permute(2, 3, 1, 0).flatten(0, 2) for layer in layers])
        return cls(weight, _stack([layer.bias for layer in layers])[:, None])


@dataclass(frozen=True)
class _Halving:
    """Layer normalisation, and a 2x2 convolution at stride 2."""

    eps: float
    linear: _Linear

    @classmethod
    def of(cls, members: Sequence[Any]) -> "_Halving":
        norms = [member[0] for member in members]
        scale, shift = (affine.repeat(1, 4) for affine in _affine(norms))
        linear = _Linear.of([member[1] for member in members])
        return cls(norms[0].eps, linear.after(scale, shift))

    def __call__(self, x: Tensor) -> Tensor:
        """(B, H, W, E, C) to (B, H/2, W/2, E, C')."""
        x = F.layer_norm(x, x.shape[-1:], eps=self.eps)
        patches = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).permute(5, 0, 1, 3, 2, 4, 6)
        halved = self.linear(patches.flatten(4).flatten(1, 3))
        return halved.unflatten(1, patches.shape[1:4]).permute(1, 2, 3, 0, 4).contiguous()


@dataclass(frozen=True)
class _Block:
    """A ConvNeXt V2 block.

    A depthwise convolution, layer normalisation, and two linear maps around GELU and global
    response normalisation, beside a shortcut.

    Attributes:
        depthwise: (E * C, 1, 7, 7).
        depthwise_bias: (E * C,).
        eps: Of the layer normalisation.
        widen: C to 4C.
        response: (E, 1, 1, 1, 4C), the weight of the response normalisation.
        response_eps: Its epsilon.
        narrow: 4C to C.
    """

    depthwise: Tensor
    depthwise_bias: Tensor
    eps: float
    widen: _Linear
    response: Tensor
    response_eps: float
    narrow: _Linear

    @classmethod
    def of(cls, members: Sequence[Any]) -> "_Block":
        mlps, norms = [m.mlp for m in members], [m.norm for m in members]
        weight = _stack([mlp.grn.weight for mlp in mlps])
        narrow = _Linear.of([mlp.fc2 for mlp in mlps])
        raised = _stack([mlp.grn.bias for mlp in mlps])
        return cls(
            depthwise=torch.cat([m.conv_dw.weight for m in members]),
            depthwise_bias=torch.cat([m.conv_dw.bias for m in members]),
            eps=norms[0].eps,
            widen=_Linear.of([mlp.fc1 for mlp in mlps]).after(*_affine(norms)),
            response=weight[:, None, None, None],
            response_eps=mlps[0].grn.eps,
            narrow=narrow.after(torch.ones_like(raised), raised),
        )

    def __call__(self, x: Tensor) -> Tensor:
        """(B, H, W, E, C) to the same."""
        channels, (rows, cols) = x.shape[-1], self.depthwise.shape[-2:]
        slow = x.element_size() < 4 and min(x.shape[1:3]) < SMALLEST
        dtype = torch.float32 if slow else x.dtype
        y = F.conv2d(
            x.flatten(3).permute(0, 3, 1, 2).to(dtype),
            self.depthwise.to(dtype), self.depthwise_bias.to(dtype),
            padding=(rows // 2, cols // 2), groups=len(self.depthwise),
        ).to(x.dtype)  # fmt: skip
        y = y.permute(0, 2, 3, 1).unflatten(3, (-1, channels))
        y = F.layer_norm(y, (channels,), eps=self.eps)
        wide = F.gelu(self.widen(y.flatten(0, 2).transpose(0, 1)))  # (E, B * H * W, 4C)
        wide = wide.unflatten(1, x.shape[:3])
        narrow = self.narrow((wide * self._gain(wide)).flatten(1, 3))
        return x + narrow.unflatten(1, x.shape[:3]).permute(1, 2, 3, 0, 4)

    def _gain(self, wide: Tensor) -> Tensor:
        """The response normalisation's factor for each channel: (E, B, 1, 1, 4C)."""
        # Squares overflow half precision; no copy in single precision is made for them.
        precise = torch.promote_types(wide.dtype, torch.float32)
        norm = torch.linalg.vector_norm(wide, dim=(2, 3), keepdim=True, dtype=precise)
        share = norm / (norm.mean(-1, keepdim=True) + self.response_eps)
        return (1 + self.response * share).to(wide.dtype)


def _stack(tensors: Sequence[Any]) -> Tensor:
    return torch.stack(list(tensors))


def _affine(norms: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Scale and shift of each member's layer normalisation: (E, C) each."""
    return _stack([norm.weight for norm in norms]), _stack([norm.bias for norm in norms])
