"""Maps of transformers: what timm computes, as four maps with the channels first."""

import copy

import pytest
import timm
import torch

from eosfm.nn.backbone import build_backbone
from eosfm.nn.pyramid import STRIDES

SWIN = "swin_tiny_patch4_window7_224"
IMAGE = torch.randn(2, 5, 64, 96, generator=torch.Generator().manual_seed(0))


def test_tokens_of_four_blocks_are_four_maps():
    model = build_backbone("test_vit", 5).eval()
    assert model.feature_info.reduction() == list(STRIDES)
    with torch.no_grad():
        maps = model(IMAGE)
        tokens = model.model.forward_intermediates(IMAGE, intermediates_only=True)
    assert len(tokens) == 6 and tokens[0].shape[1:] == (64, 4, 6)
    assert [m.shape[1:] for m in maps] == [(64, 64 // s, 96 // s) for s in STRIDES]
    assert maps[2].equal(tokens[3])  # the fourth of six: at the stride of the tokens
    means = tokens[5].unflatten(2, (2, 2)).unflatten(4, (3, 2)).mean((3, 5))
    torch.testing.assert_close(maps[3], means)
    for level, block, pixel, near in ((maps[0], 0, 2, 7 / 8), (maps[1], 2, 1, 3 / 4)):
        (a, b), (c, d) = tokens[block][..., :2, :2].permute(2, 3, 0, 1)
        rows = [near * left + (1 - near) * right for left, right in ((a, b), (c, d))]
        torch.testing.assert_close(
            level[..., pixel, pixel], near * rows[0] + (1 - near) * rows[1], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("name", [SWIN, "mambaout_femto"])
def test_channels_come_first(name):
    model = build_backbone(name, 5).eval()
    options = {"strict_img_size": False} if name == SWIN else {}
    plain = timm.create_model(name, features_only=True, in_chans=5, **options).eval()
    plain.load_state_dict(model.state_dict())
    with torch.no_grad():
        maps, theirs, again = model(IMAGE), plain(IMAGE), copy.deepcopy(model)(IMAGE)
    for level, last, same in zip(maps, theirs, again, strict=True):
        assert level.is_contiguous() and level.equal(last.permute(0, 3, 1, 2)) and level.equal(same)
