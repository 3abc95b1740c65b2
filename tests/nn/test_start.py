"""Start weights have one form wherever they come from, and an encoder begins with them."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from eosfm.core.errors import EosfmError
from eosfm.nn.specialist import load_specialist, save_specialist
from eosfm.nn.start import build_started, imagenet_start, random_start

BACKBONE = "convnextv2_atto"
STEM = "stem_0.weight"


@pytest.fixture
def start(tmp_path: Path) -> Path:
    path = tmp_path / "start.pt"
    save_specialist(path, random_start(BACKBONE, 0))
    return path


@pytest.mark.parametrize("in_chans", [1, 2, 3, 15])
def test_an_encoder_begins_with_weights_for_other_channels(start: Path, in_chans: int) -> None:
    weights = load_specialist(start).state_dict
    began, stem = build_started(start, BACKBONE, in_chans).state_dict(), weights[STEM]
    assert all(began[key].equal(value) for key, value in weights.items() if key != STEM)
    expected = {
        1: stem.sum(1, keepdim=True),
        2: stem[:, :2] * 3 / 2,
        3: stem,
        15: stem.repeat(1, 5, 1, 1) / 5,
    }
    torch.testing.assert_close(began[STEM], expected[in_chans])


def test_weights_of_another_backbone_are_refused(start: Path) -> None:
    message = r"has weights of convnextv2_atto, expected convnextv2_femto; run `dvc repro start`"
    with pytest.raises(EosfmError, match=message):
        build_started(start, "convnextv2_femto", 3)


def test_random_ones_follow_from_the_seed_alone() -> None:
    state = torch.get_rng_state()
    one, same, other = (random_start(BACKBONE, seed).state_dict[STEM] for seed in (0, 0, 1))
    assert one.equal(same) and not one.equal(other)
    assert state.equal(torch.get_rng_state())


def test_missing_ones_and_those_of_another_backbone_are_one_line(start: Path) -> None:
    with pytest.raises(EosfmError, match=r"expected test_convnext; run `dvc repro start`"):
        build_started(start, "test_convnext", 3)
    with pytest.raises(EosfmError, match=r"none\.pt not found"):
        build_started(start.with_name("none.pt"), BACKBONE, 3)


def test_those_of_imagenet_have_the_same_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = timm.create_model(BACKBONE)
    snapshot = tmp_path / "models--timm--convnextv2_atto.fcmae_ft_in1k" / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    save_file(published.state_dict(), snapshot / "model.safetensors")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", None)
    save_specialist(tmp_path / "start.pt", imagenet_start(BACKBONE))
    read = load_specialist(tmp_path / "start.pt")
    assert read.bands == ("red", "green", "blue")
    assert read.mean == pytest.approx((123.675, 116.28, 103.53))
    assert read.state_dict[STEM].equal(published.state_dict()["stem.0.weight"])
