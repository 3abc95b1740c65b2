"""The published UPerNet."""

import pytest
import torch
from torch import nn

from eosfm.heads.upernet import UPerNetBatchHead
from eosfm.kinds import KINDS, TargetStatistics
from tests.heads.test_decoders import CHANNELS, pyramid


@pytest.mark.parametrize("size", [(64, 64), (37, 51)])
def test_every_pixel_has_an_answer_and_every_parameter_a_gradient(size: tuple[int, int]) -> None:
    module = UPerNetBatchHead(CHANNELS, 5, 16, 0.1).train()
    logits = module(pyramid(2, *size), size)
    assert logits.shape == (2, 5, *size)
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def test_it_is_as_large_as_terratorch_s() -> None:
    """Counted from its description: kernels without bias, norms of two values per channel."""
    channels, width, classes = (40, 80, 160, 320), 128, 7

    def conv(before: int, kernel: int) -> int:
        return before * width * kernel**2 + 2 * width

    expected = 4 * conv(320, 1) + conv(320 + 4 * width, 3) + sum(conv(c, 1) for c in channels[:3])
    expected += 3 * conv(width, 3) + conv(4 * width, 3)
    expected += width * width * 9 + width + width * classes + classes
    module = UPerNetBatchHead(channels, classes, width)
    assert sum(p.numel() for p in module.parameters()) == expected


def test_corners_are_aligned() -> None:
    """Level by level, the corner of what is resized is the corner of what it is added to."""
    module = UPerNetBatchHead(CHANNELS, 1, 8).eval()
    seen: list[torch.Tensor] = []
    module.context.register_forward_hook(lambda _, __, out: seen.append(out))
    module.fused.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    module(pyramid(1, 128, 128), (128, 128))
    context, together = seen
    torch.testing.assert_close(together[:, -8:, 0, 0], context[..., 0, 0])
    torch.testing.assert_close(together[:, -8:, -1, -1], context[..., -1, -1])


def test_training_drops_and_answering_does_not() -> None:
    module = UPerNetBatchHead(CHANNELS, 2, 16, 0.5)
    maps = pyramid(2, 64, 64)
    module.train()
    assert not torch.equal(module(maps, (64, 64)), module(maps, (64, 64)))
    module.eval()
    assert torch.equal(module(maps, (64, 64)), module(maps, (64, 64)))


def test_regression_answers_without_a_unit_of_its_own() -> None:
    statistics = TargetStatistics((), 9, mean=100.0, std=5.0)
    head = KINDS["regression"].build_head("upernet_batch", CHANNELS, 1, 16, statistics)
    assert isinstance(head, UPerNetBatchHead)


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_the_last_map_alone_answers_for_an_image(kind: str) -> None:
    head = KINDS[kind].build_head("last_map", CHANNELS, 7, 16, TargetStatistics((), 1))
    maps = pyramid(3, 64, 64)
    logits = head(maps, (64, 64))
    linear = next(m for m in head.modules() if isinstance(m, nn.Linear))
    assert logits.shape == (3, 7)
    torch.testing.assert_close(logits, linear(maps[-1].mean(dim=(-2, -1))))
