"""The backbone in segmentation_models_pytorch's decoders and in torchgeo's trainers."""

import pytest
import segmentation_models_pytorch as smp
import torch

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import save_artifact
from eosfm.interop import smp as interop
from eosfm.interop.smp import register_encoder
from eosfm.model import EosFM

BANDS = ("B02", "B03", "B04", "B08")


@pytest.fixture
def backbone(members):
    return EosFM.from_specialists(members[:1], BANDS)


@pytest.mark.parametrize("decoder", [smp.Unet, smp.FPN, smp.UPerNet, smp.Segformer])
def test_a_decoder_learns_and_specialists_stay(backbone, decoder):
    register_encoder("eosfm", backbone)
    model = decoder("eosfm", encoder_weights=None, in_channels=4, classes=3)
    specialists = model.encoder.backbone.encoder.models
    before = [value.clone() for value in specialists.state_dict().values()]
    fusion = next(model.encoder.backbone.fuser.mixers.parameters()).detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    logits = model(torch.randn(2, 4, 64, 96))
    assert logits.shape == (2, 3, 64, 96)
    torch.nn.functional.cross_entropy(logits, torch.ones(2, 64, 96, dtype=torch.long)).backward()
    optimizer.step()
    after = specialists.state_dict().values()
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))
    assert not torch.equal(fusion, next(model.encoder.backbone.fuser.mixers.parameters()))


def test_maps_are_the_backbones(backbone):
    register_encoder("eosfm", backbone)
    encoder = smp.encoders.get_encoder("eosfm", in_channels=4, depth=4).eval()
    x = torch.randn(1, 4, 64, 64)
    image, nothing, *maps = encoder(x)
    assert torch.equal(image, x) and nothing.shape == (1, 0, 32, 32)
    expected = backbone.eval()(x)[:3]
    assert all(torch.equal(one, two) for one, two in zip(maps, expected, strict=True))
    assert encoder.out_channels == [4, 0, *backbone.out_channels[:3]]
    assert encoder.output_stride == 16
    assert encoder.backbone is not backbone


def test_what_does_not_fit_is_refused(backbone):
    register_encoder("eosfm", backbone)
    with pytest.raises(EosfmError, match="in_channels is 3, the backbone takes 4"):
        smp.Unet("eosfm", encoder_weights=None, in_channels=3)
    with pytest.raises(EosfmError, match="output stride 16"):
        smp.DeepLabV3Plus("eosfm", encoder_weights=None, in_channels=4)
    with pytest.raises(EosfmError, match="has an encoder 'resnet18'"):
        register_encoder("resnet18", backbone)
    with pytest.raises(EosfmError, match=r"backbone is 'eosfm\.pth'; expected an EosFM"):
        register_encoder("other", "eosfm.pth")
    assert "other" not in smp.encoders.encoders


def test_the_example_runs(make_specialist, tmp_path, monkeypatch):
    """That of the module's docstring."""
    monkeypatch.chdir(tmp_path)
    save_artifact("models/eosfm.pth", [make_specialist("rgb", ("red", "green", "blue"))])
    lines = [line[4:] for line in interop.__doc__.splitlines() if line.startswith("    ")]
    assert len(lines) == 8
    names = {}
    exec("\n".join(lines), names)
    for model in (names["model"], names["task"]):
        assert model(torch.randn(2, 4, 32, 32)).shape == (2, 3, 32, 32)


def test_torchgeo_trainer(backbone):
    from lightning import Trainer
    from torch.utils.data import DataLoader
    from torchgeo.trainers import SemanticSegmentationTask

    register_encoder("eosfm", backbone)
    task = SemanticSegmentationTask("upernet", "eosfm", in_channels=4, num_classes=3, lr=0.1)
    before = {key: value.clone() for key, value in task.state_dict().items()}
    sample = {"image": torch.randn(4, 64, 64), "mask": torch.ones(64, 64, dtype=torch.long)}
    trainer = Trainer(
        accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    loader = DataLoader([sample] * 2, batch_size=2)
    trainer.fit(task, loader, loader)
    changed = {
        key for key, value in task.state_dict().items() if not torch.equal(value, before[key])
    }
    assert any(".decoder." in key for key in changed)
    assert any(".fuser." in key for key in changed)
    assert not any(".encoder.models." in key for key in changed)
