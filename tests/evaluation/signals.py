"""Stored features in memory, of which one specialist knows the labels."""

import torch

from eosfm.encoding.input import InputSpec
from eosfm.features.frozen import FrozenFeatures
from eosfm.features.source import StoredLevels
from eosfm.features.windows import Windows

SIZE = 32
WHOLE = Windows.whole((SIZE, SIZE))


def enlarged(cells: torch.Tensor) -> torch.Tensor:
    """The pixels of cells (N, h, w) of the finest level: (N, H, W)."""
    return cells.repeat_interleave(4, 1).repeat_interleave(4, 2)


def in_memory(levels: list[torch.Tensor], targets: torch.Tensor) -> StoredLevels:
    return StoredLevels([level.numpy() for level in levels], targets.numpy(), WHOLE)


def noise_and_signal(
    targets: torch.Tensor, informative: int, dates: int, seed: int
) -> FrozenFeatures:
    """Four specialists of noise, one of which has the labels in its finest level."""
    generator = torch.Generator().manual_seed(seed)
    specs = tuple(InputSpec(f"s{i}", channels=(6,) * 4, index=i) for i in range(4))
    levels = []
    for k, side in enumerate((8, 4, 2, 1)):
        noise = [torch.randn(len(targets), dates, 6, side, side, generator=generator)
                 for _ in specs]  # fmt: skip
        if k == 0:
            signal = targets.float()
            signal = signal[:, 2::4, 2::4] if signal.ndim == 3 else signal[:, None, None]
            tiles = torch.arange(len(targets))
            noise[informative][tiles, tiles % dates, 0] += 3 * signal
        levels.append(torch.cat(noise, dim=2).half())
    days = torch.zeros(len(targets), dates)
    return FrozenFeatures(in_memory(levels, targets), days, WHOLE, inputs=specs)
