"""Backbones: timm's features, and one line where weights cannot be had."""

import time
from pathlib import Path

import pytest
import torch
from torch import nn

from eosfm.core.errors import EosfmError
from eosfm.nn.backbone import build_backbone, build_unset, synchronise_batch_norms

NAME = "convnextv2_atto"
REPOSITORY = "models--timm--convnextv2_atto.fcmae_ft_in1k"


@pytest.mark.parametrize("in_chans", [2, 13])
def test_four_maps_for_any_number_of_channels(in_chans: int) -> None:
    model = build_backbone(NAME, in_chans, pretrained=False)
    maps = model(torch.zeros(1, in_chans, 64, 64))
    assert [m.shape[-1] for m in maps] == [16, 8, 4, 2]
    assert [m.shape[1] for m in maps] == model.feature_info.channels()


def test_of_five_maps_the_finest_is_left_out() -> None:
    model = build_backbone("resnet18", 3).eval()
    maps = model(torch.zeros(1, 3, 64, 64))
    assert [m.shape[1:] for m in maps] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]


def test_unreachable_weights_are_one_line_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing answers there
    start = time.perf_counter()
    with pytest.raises(
        EosfmError,
        match=r"are neither in the Hugging Face cache .*hf download timm/.*"
        r"or set backbone.pretrained=false",
    ):
        build_backbone(NAME, 3, pretrained=True)
    assert time.perf_counter() - start < 8


def test_cached_weights_need_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(3)
    published = timm.create_model(NAME, pretrained=False)
    snapshot = tmp_path / REPOSITORY / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    save_file(published.state_dict(), snapshot / "model.safetensors")
    (tmp_path / REPOSITORY / "refs").mkdir()
    (tmp_path / REPOSITORY / "refs" / "main").write_text("0")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", None)

    model = build_backbone(NAME, 5, pretrained=True)
    weights = published.state_dict()
    assert model.state_dict()["stages_0.blocks.0.mlp.fc1.weight"].equal(
        weights["stages.0.blocks.0.mlp.fc1.weight"]
    )
    # timm repeats the RGB stem over further channels and keeps the sum's scale.
    torch.testing.assert_close(
        model.state_dict()["stem_0.weight"][:, 3], weights["stem.0.weight"][:, 0] * 3 / 5
    )


@pytest.mark.parametrize("name", ["hf-hub:timm/convnextv2_atto.fcmae", "local-dir:/tmp/model"])
def test_what_timm_would_fetch_is_no_name(name: str) -> None:
    with pytest.raises(EosfmError, match=r"is unknown to timm; for example"):
        build_backbone(name, 3)


def test_shapes_cost_no_weights_and_no_random_numbers() -> None:
    state = torch.get_rng_state()
    with torch.device("meta"):
        model = build_backbone(NAME, 3)
    assert all(value.is_meta for value in model.state_dict().values())
    assert torch.equal(state, torch.get_rng_state())
    assert model.state_dict().keys() == build_backbone(NAME, 3).state_dict().keys()


@pytest.mark.parametrize("name", [NAME, "swin_tiny_patch4_window7_224", "test_vit"])
def test_an_unset_backbone_with_weights_is_the_backbone(name: str) -> None:
    ready = build_backbone(name, 2).eval()
    state = torch.get_rng_state()
    unset = build_unset(name, 2).eval()
    assert torch.equal(state, torch.get_rng_state())
    unset.load_state_dict(ready.state_dict(), assign=True)
    image = torch.randn(1, 2, 96, 160)
    for one, other in zip(unset(image), ready(image), strict=True):
        assert one.equal(other)


def test_a_backbone_of_one_image_size_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(EosfmError, match=r"'beit_.* cannot encode .*64 x 96 px \(Input height"):
            build_backbone("beit_base_patch16_224", 3)


def test_unfit_backbones_are_refused() -> None:
    with pytest.raises(
        EosfmError, match="'convnextv2_ato' is unknown to timm; for example convnextv2_"
    ):
        build_backbone("convnextv2_ato", 3, pretrained=False)
    with pytest.raises(EosfmError, match=r"strides \[14, 14, 14, 14\]"):
        build_backbone("vit_small_patch14_dinov2", 3, pretrained=False)
    with pytest.raises(EosfmError, match=r"set backbone.pretrained=false"):
        build_backbone("test_convnext2", 3, pretrained=True)


def test_batch_norms_of_several_processes_keep_their_activation() -> None:
    from timm.layers import BatchNormAct2d

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4), nn.BatchNorm2d(4)).eval()
    images = torch.randn(2, 3, 8, 8)
    expected = model(images)
    converted = synchronise_batch_norms(model)
    assert sum(isinstance(m, nn.SyncBatchNorm) for m in converted.modules()) == 2
    torch.testing.assert_close(converted(images), expected)
