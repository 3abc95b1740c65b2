"""Training heads on stored features."""

import time
from collections.abc import Callable
from typing import Any

import torch
from common import Json, Published, ensemble, show
from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.evaluation.feature_fusion import build_fusing
from eosfm.model import EosFM


class Linear(nn.Module):
    """Pooled coarsest features of every pyramid, one linear layer."""

    def __init__(self, pyramids: int) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(10)

    def forward(self, pyramids: list[list[Tensor]]) -> Tensor:
        """(B, 10) scores."""
        return self.layer(torch.cat([p[3].mean((2, 3)) for p in pyramids], 1))


class FusedUPerNet(nn.Module):
    """A fusion and segmentation_models_pytorch's UPerNet decoder."""

    def __init__(self, fuse: nn.Module, channels: list[int]) -> None:
        super().__init__()
        from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder

        self.fuse = fuse
        self.decoder = UPerNetDecoder([13, 13, *channels], encoder_depth=5, decoder_channels=64)
        self.head = nn.LazyConv2d(2, 1)

    def forward(self, features: Any) -> Tensor:
        """(B, 2, H/4, W/4) scores."""
        maps = [level.squeeze(1) if level.ndim == 5 else level for level in self.fuse(features)]
        blank = maps[0].new_zeros(len(maps[0]), 13, 1, 1)
        return self.head(self.decoder([blank, blank, *maps]))


def fit(head: nn.Module, features: Callable[[slice], Any], target: Tensor, epochs: int) -> float:
    """Seconds of training a head for some epochs of batches of 16."""
    start = time.perf_counter()
    optimizer: torch.optim.Optimizer | None = None
    for _ in range(epochs):
        for first in range(0, len(target), 16):
            part = slice(first, first + 16)
            loss = F.cross_entropy(head(features(part)), target[part])
            optimizer = optimizer or torch.optim.AdamW(head.parameters(), lr=1e-3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.perf_counter() - start


def heads(tiles: int = 128, epochs: int = 10, json_: Json = None) -> None:
    """Ten epochs of a head on stored features, against encoding plainly at every step.

    The rival's every epoch costs the same, so one is measured and multiplied.
    """
    members = ensemble()
    published = Published(members)
    backbone = EosFM.from_specialists(members, in_chans=13, fusion="conv1x1").train()
    images = torch.randn(tiles, 13, 64, 64)
    targets = {
        "linear": torch.randint(10, (tiles,)),
        "upernet": torch.randint(2, (tiles, 16, 16)),
    }
    start = time.perf_counter()
    parts = [backbone.encode(images[first : first + 16]) for first in range(0, tiles, 16)]
    stored = [
        [torch.cat(levels).half() for levels in zip(*pyramid, strict=True)]
        for pyramid in zip(*parts, strict=True)
    ]
    encoding_pass = time.perf_counter() - start

    def linear() -> float:
        head = Linear(33).train()
        return fit(head, lambda part: _cut(stored, part), targets["linear"], epochs)

    def upernet() -> float:
        """What the fixed normalisation makes of the features is computed once, as downstream."""
        start = time.perf_counter()
        fusing = build_fusing(backbone.fuser, per_image=False, aggregation=None)
        side_by_side = [torch.cat(level, 1)[:, None] for level in zip(*stored, strict=True)]
        ready = fusing.prepare(side_by_side)
        head = FusedUPerNet(fusing, backbone.out_channels).train()
        preparing = time.perf_counter() - start
        return preparing + fit(
            head, lambda part: [level[part] for level in ready], targets["upernet"], epochs
        )

    rivals = {
        "linear": lambda: Linear(33),
        "upernet": lambda: FusedUPerNet(backbone.fuser, backbone.out_channels),
    }
    rows = []
    for name, ours in (("linear", linear), ("upernet", upernet)):
        plain = fit(
            rivals[name]().train(), lambda part: published.encode(images[part]), targets[name], 1
        )
        plain *= epochs
        seconds = ours()
        rows += [
            {
                "head": name,
                "experiment": which,
                "ratio": plain / spent,
                "plain, s": plain,
                "ours, s": spent,
            }
            for which, spent in (("first", encoding_pass + seconds), ("second", seconds))
        ]
    show("Head training on stored features", rows, json_)


def _cut(stored: list[list[Tensor]], part: slice) -> list[list[Tensor]]:
    return [[level[part].float() for level in pyramid] for pyramid in stored]
