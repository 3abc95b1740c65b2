import importlib
import sys
import types

import pytest
import torch

from eosfm.ensemble import save_artifact

PUBLISHED = {
    "in_chans": 3, "freeze": True, "feature_fusion": "conv1x1", "fuse_to_mult": 2,
    "normalize_features": True, "normalization_type": "layer", "projection_layer": True,
    "max_encoders": 1, "scale_features": True, "encoder_selection_mode": "smooth",
    "ablate_encoders": [0],
}  # fmt: skip


@pytest.fixture
def build(monkeypatch):
    """The registered function; a registry stands in where TerraTorch is not installed."""
    registered = {}
    try:
        registry = importlib.import_module("terratorch.registry")
    except ImportError:
        registry = types.ModuleType("terratorch.registry")
        registry.TERRATORCH_BACKBONE_REGISTRY = types.SimpleNamespace(
            register=lambda f: registered.setdefault(f.__name__, f)
        )
        monkeypatch.setitem(sys.modules, "terratorch", types.ModuleType("terratorch"))
        monkeypatch.setitem(sys.modules, "terratorch.registry", registry)
        monkeypatch.delitem(sys.modules, "eosfm.ensemble.terratorch", raising=False)
        importlib.import_module("eosfm.ensemble.terratorch")
        return registered["EosFM"]
    importlib.import_module("eosfm.ensemble.terratorch")
    return lambda **options: registry.BACKBONE_REGISTRY.build("EosFM", **options)


def test_published_arguments(build, make_specialist, tmp_path):
    names = ("a", "b", "c")
    ensemble = [make_specialist(name, ("red", "green", "blue")) for name in names]
    save_artifact(tmp_path / "eosfm.pth", ensemble)
    model = build(model_weights=str(tmp_path / "eosfm.pth"), **PUBLISHED)
    assert model.out_channels == [16, 24, 32, 48]
    assert [spec.name for spec in model.inputs] == ["b", "c"]
    assert len(model.selected) == 1
    assert model.fuser.options["normalize"] == "layer"
    assert len(model(torch.randn(2, 3, 32, 32))) == 4


def test_published_defaults(build, make_specialist, tmp_path):
    save_artifact(tmp_path / "eosfm.pth", [make_specialist("a", ("red", "green", "blue"))])
    model = build(model_weights=str(tmp_path / "eosfm.pth"), in_chans=3)
    assert model.fuser.options["fusion"] == "concat"
    assert model.fuser.options["normalize"] == "batch"
    assert all(p.requires_grad for p in model.encoders.parameters())
