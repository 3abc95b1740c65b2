"""Heads give logits of the right shape and scale for any batch and any size."""

import pytest
import torch
from torch import nn

from eosfm.core.errors import EosfmError
from eosfm.heads.decoders import resize
from eosfm.kinds import KINDS, TargetStatistics, get_kind

CHANNELS = [8, 16, 32, 64]
NONE = TargetStatistics((), 1)


def pyramid(batch: int, height: int, width: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(batch, c, -(-height // s), -(-width // s), generator=generator)
        for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


@pytest.mark.parametrize("head", ["upernet", "linear"])
@pytest.mark.parametrize("size", [(32, 32), (60, 60), (37, 51)])
@pytest.mark.parametrize("batch", [1, 3])
def test_pixel_heads_answer_every_pixel(head: str, size: tuple[int, int], batch: int) -> None:
    module = KINDS["segmentation"].build_head(head, CHANNELS, 5, 16, NONE).train()
    maps = pyramid(batch, *size)
    logits = module(maps, size)
    assert logits.shape == (batch, 5, *size)
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
@pytest.mark.parametrize("head", ["linear", "ridge", "knn"])
def test_image_heads_answer_once_per_image(kind: str, head: str) -> None:
    module = KINDS[kind].build_head(head, CHANNELS, 7, 16, NONE).train()
    assert module(pyramid(1, 37, 51), (37, 51)).shape == (1, 7)


def test_upernet_does_not_mix_the_images_of_a_batch() -> None:
    module = KINDS["change"].build_head("upernet", CHANNELS, 2, 16, NONE).train()
    maps = pyramid(3, 64, 64)
    together = module(maps, (64, 64))
    alone = module([m[1:2] for m in maps], (64, 64))
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-4)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in module.modules())


def test_linear_head_equals_one_convolution_over_the_concatenated_levels() -> None:
    module = KINDS["segmentation"].build_head("linear", CHANNELS, 3, 16, NONE)
    maps = pyramid(2, 64, 64)
    stacked = torch.cat([resize(m, (16, 16)) for m in maps], dim=1)
    weight = torch.cat([level.weight for level in module.levels], dim=1)
    expected = resize(nn.functional.conv2d(stacked, weight, module.levels[0].bias), (64, 64))
    torch.testing.assert_close(module(maps, (64, 64)), expected, atol=1e-5, rtol=1e-4)


def test_an_untrained_regression_head_speaks_in_the_target_s_unit() -> None:
    head = KINDS["regression"].build_head(
        "upernet", CHANNELS, 1, 16, TargetStatistics((), 9, mean=12.5, std=4.0)
    )
    for parameter in head.head.classifier.parameters():
        nn.init.zeros_(parameter)
    logits = head(pyramid(2, 32, 32), (32, 32))
    torch.testing.assert_close(logits, torch.full((2, 1, 32, 32), 12.5))


def test_wrong_heads_are_refused() -> None:
    with pytest.raises(EosfmError, match="head 'unet' does not fit change; valid: upernet, linear"):
        KINDS["change"].build_head("unet", CHANNELS, 2, 16, NONE)
    with pytest.raises(EosfmError, match="unknown task kind 'captioning'; valid: classification,"):
        get_kind("captioning")
    with pytest.raises(EosfmError, match="4 feature maps; the encoder gives 3"):
        KINDS["segmentation"].build_head("upernet", CHANNELS[:3], 2, 16, NONE)
