from pathlib import Path

import pytest
import timm
import torch

from eosfm.commands.gather import gather
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.checkpoints import (
    encoder_weights,
    import_checkpoints,
    specialist_name,
)
from eosfm.model import EosFM


@pytest.fixture(scope="module")
def encoder(make_specialist):
    return make_specialist("x", ("red", "green", "blue"), backbone="convnextv2_atto").state_dict


def checkpoint(weights, prefix="model.encoder.", **more):
    """What Lightning writes: the encoder under a prefix, beside a decoder and a head."""
    state_dict = {prefix + key: value for key, value in weights.items()}
    state_dict |= {
        "model.decoder.conv1.weight": torch.zeros(4, 4, 3, 3),
        "model.decoder.stages.0.weight": torch.zeros(4, 4, 1, 1),
        "model.head.weight": torch.zeros(2, 4),
    }
    return {"state_dict": state_dict, "epoch": 3, "optimizer_states": [], **more}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(
    "prefix",
    ["", "encoder.", "backbone.", "model.encoder.", "model.encoder.model.",
     "model.encoder._timm_module.", "_orig_mod.model.backbone.", "criterion.encoder."],
)  # fmt: skip
def test_encoder_under_any_prefix(encoder, prefix):
    name, in_chans, weights = encoder_weights(checkpoint(encoder, prefix)["state_dict"])
    assert (name, in_chans) == ("convnextv2_atto", 3)
    assert equal(weights, encoder)


def test_names_of_a_classification_model():
    model = timm.create_model("convnextv2_atto", num_classes=5, in_chans=12)
    name, in_chans, weights = encoder_weights(
        {f"model.{key}": value for key, value in model.state_dict().items()}
    )
    assert (name, in_chans) == ("convnextv2_atto", 12)
    twin = timm.create_model("convnextv2_atto", features_only=True, in_chans=12)
    twin.load_state_dict(weights)
    x = torch.randn(1, 12, 64, 64)
    torch.testing.assert_close(twin.eval()(x)[-1], model.eval().forward_features(x))


@pytest.mark.parametrize("name", ["convnextv2_pico", "convnextv2_tiny", "convnextv2_small"])
def test_other_backbones_are_told_apart(name):
    with torch.device("meta"):
        weights = timm.create_model(name, features_only=True, in_chans=6).state_dict()
    assert encoder_weights(weights)[:2] == (name, 6)


def test_backbone_that_is_named(make_specialist):
    weights = make_specialist("x", 5, backbone="starnet_s1").state_dict
    state_dict = checkpoint(weights)["state_dict"]
    with pytest.raises(EosfmError, match="name the backbone"):
        encoder_weights(state_dict)
    name, in_chans, found = encoder_weights(state_dict, "starnet_s1")
    assert (name, in_chans) == ("starnet_s1", 5)
    assert equal(found, dict(weights))


def test_two_encoders_are_not_guessed_between(encoder):
    both = checkpoint(encoder)["state_dict"] | checkpoint(encoder, "teacher.")["state_dict"]
    with pytest.raises(EosfmError, match=r"'model\.encoder\.', 'teacher\.'"):
        encoder_weights(both)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("eurosat_rgb.ckpt", "eurosat_rgb"),
        ("loveda/checkpoints/best.ckpt", "loveda"),
        ("ben/s1/lightning_logs/version_3/checkpoints/epoch=9-step=120.ckpt", "ben_s1"),
        ("last.ckpt", "last"),
    ],
)
def test_names_from_paths(path, name):
    assert specialist_name(Path(path)) == name


def test_folder_to_artifact(encoder, tmp_path, capsys):
    folder = tmp_path / "runs"
    (folder / "loveda" / "checkpoints").mkdir(parents=True)
    torch.save(checkpoint(encoder), folder / "loveda" / "checkpoints" / "last.ckpt")
    known = {"bands": ["vv", "vh", "vh"], "mean": [0.0, 1.0, 1.0], "std": [1.0, 2.0, 2.0],
             "dataset": "etci2021", "lr": 1e-4}  # fmt: skip
    torch.save(checkpoint(encoder, hyper_parameters=known), folder / "etci.ckpt")
    gather(str(folder), tmp_path / "out.pth")
    assert "2 specialists" in capsys.readouterr().out
    etci, loveda = load_artifact(tmp_path / "out.pth")
    assert (etci.name, etci.bands, etci.std) == ("etci", ("vv", "vh", "vh"), (1.0, 2.0, 2.0))
    assert etci.facts == {"dataset": "etci2021"}
    assert (loveda.name, loveda.bands) == ("loveda", None)
    assert len(EosFM.from_specialists([etci, loveda], in_chans=3).inputs) == 2


def test_faults_are_one_line(encoder, tmp_path, call):
    with pytest.raises(EosfmError, match="no checkpoint below"):
        import_checkpoints(tmp_path)
    for name in ("a/last.ckpt", "a/best.ckpt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        torch.save(checkpoint(encoder), tmp_path / name)
    with pytest.raises(EosfmError, match="both give a specialist named 'a'"):
        import_checkpoints(tmp_path)
    (tmp_path / "a" / "best.ckpt").write_bytes(b"no checkpoint")
    (tmp_path / "a" / "last.ckpt").unlink()
    with pytest.raises(EosfmError, match=r"best\.ckpt is damaged"):
        import_checkpoints(tmp_path)
    torch.save({"state_dict": {"model.fc.weight": torch.zeros(2, 2)}}, tmp_path / "a" / "best.ckpt")
    with pytest.raises(EosfmError, match=r"best\.ckpt: no encoder found"):
        import_checkpoints(tmp_path)
    for part, value in (("state_dict", None), ("hyper_parameters", "text")):
        torch.save({**checkpoint(encoder), part: value}, tmp_path / "a" / "best.ckpt")
        with pytest.raises(EosfmError, match=f"a {type(value).__name__} for {part}, expected a"):
            import_checkpoints(tmp_path)
    (tmp_path / "a" / "best.ckpt").unlink()
    (tmp_path / "a" / "best.ckpt").mkdir()  # as DeepSpeed's
    with pytest.raises(EosfmError, match=r"best\.ckpt is a folder; expected a file of weights"):
        import_checkpoints(tmp_path)
    status, _, said = call("gather", tmp_path, tmp_path / "out.pth")
    assert status == 1
    assert said.startswith("error: ") and said.count("\n") == 1
    assert not (tmp_path / "out.pth").exists()
