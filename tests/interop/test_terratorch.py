import importlib
import itertools
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

import eosfm
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import save_artifact
from eosfm.encoding.randomize import randomize
from eosfm.nn.specialist import Specialist
from eosfm.simulation.images import write_geotiff

PUBLISHED = {
    "device": "cuda", "in_chans": 3, "freeze": True, "feature_fusion": "conv1x1", "fuse_to_mult": 2,
    "normalize_features": True, "normalization_type": "layer", "projection_layer": True,
    "max_encoders": 1, "scale_features": True, "encoder_selection_mode": "smooth",
    "ablate_encoders": [0],
}  # fmt: skip
KINDS = {"image": (3, 3000), "mask": (1, 6)}  # bands and the bound of their values
PATHS = [str(Path(eosfm.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)}


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
        monkeypatch.delitem(sys.modules, "eosfm.interop.terratorch", raising=False)
        importlib.import_module("eosfm.interop.terratorch")
        return registered["EosFM"]
    importlib.import_module("eosfm.interop.terratorch")
    return lambda **options: registry.BACKBONE_REGISTRY.build("EosFM", **options)


def test_published_arguments(build, make_specialist, tmp_path):
    names = ("a", "b", "c")
    ensemble = [make_specialist(name, ("red", "green", "blue")) for name in names]
    save_artifact(tmp_path / "eosfm.pth", ensemble)
    model = build(model_weights=str(tmp_path / "eosfm.pth"), **PUBLISHED)
    assert model.out_channels == [16, 24, 32, 48]
    assert [spec.name for spec in model.inputs] == ["b", "c"]
    assert len(model.selected) == 2  # a published smooth selection keeps all
    assert model.fuser.options.normalize == "layer"
    assert len(model(torch.randn(2, 3, 32, 32))) == 4


def test_published_defaults(build, make_specialist, tmp_path):
    save_artifact(tmp_path / "eosfm.pth", [make_specialist("a", ("red", "green", "blue"))])
    model = build(model_weights=str(tmp_path / "eosfm.pth"), in_chans=3)
    assert model.fuser.options.fusion == "concat"
    assert model.fuser.options.normalize == "batch"
    assert all(p.requires_grad for p in model.encoder.models.parameters())


def test_arguments_without_the_prefix_do_not_arrive(build):
    with pytest.raises(EosfmError, match="give backbone_model_weights"):
        build(in_chans=3)


def test_configuration_as_published(tmp_path):
    """TerraTorch's own command line trains and tests from a configuration in published form."""
    pytest.importorskip("terratorch")
    members = [Specialist(name, "convnextv2_atto", 3, {}) for name in ("a", "b", "c")]
    save_artifact(tmp_path / "eosfm.pth", randomize(members, seed=0))
    generator = np.random.default_rng(0)
    for split, kind, number in itertools.product(("train", "val", "test"), KINDS, range(2)):
        bands, most = KINDS[kind]
        values = generator.integers(0, most, (bands, 64, 64)).astype("uint16")
        path = tmp_path / "data" / split / f"{kind}s" / f"{number}_{kind}.tif"
        write_geotiff(path, values, 10.0, (0.0, 0.0))
    config = Path(__file__).with_name("terratorch.yaml").resolve()
    for command in ("fit", "test"):
        line = [sys.executable, "-m", "eosfm.interop.terratorch", command, "--config", str(config)]
        line += ["--ckpt_path", str(next(tmp_path.rglob("*.ckpt")))] if command == "test" else []
        result = subprocess.run(line, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
