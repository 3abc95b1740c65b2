import json
import sys

import pytest
import torch

from eosfm.commands.onnx import onnx as main
from eosfm.core.errors import EosfmError
from eosfm.interop.onnx import export_onnx
from eosfm.model import EosFM

pytestmark = pytest.mark.filterwarnings("ignore")
# Kept of each pair: a specialist that two rules reach, one whose optical bands are missing.
COUNTED = {"names": ("rgb", "s2"), "in_chans": 13, "fusion": "concat"}
NAMED = {"names": ("all", "s1"), "bands": ("vv", "vh", "vh"), "fusion": "mlp", "projection": True}


@pytest.fixture(scope="module")
def build(mixed):
    """A backbone after one step of training; the first of its specialists is selected."""

    def make(names, normalize="batch", **options):
        members = [specialist for specialist in mixed if specialist.name in names]
        torch.manual_seed(0)
        backbone = EosFM.from_specialists(
            members, normalize=normalize, max_encoders=1, **options
        ).train()
        backbone(torch.randn(2, backbone.input.in_chans, 64, 64))
        assert backbone.selected == [names[0]]
        return backbone.eval()

    return make


def assert_same(found, expected):
    for one, two in zip(found, expected, strict=True):
        one = torch.as_tensor(one)
        assert one.shape == two.shape
        assert (one - two).norm() <= 1e-4 * two.norm()


def run(path, x):
    session = pytest.importorskip("onnxruntime").InferenceSession(path)
    return session.run(None, {"image": x.numpy()})


def test_onnx_of_any_size(build, tmp_path):
    pytest.importorskip("onnxscript")
    backbone = build(**COUNTED).train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    export_onnx(backbone, tmp_path / "small.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]
    assert backbone.training
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())
    backbone.eval()
    for batch, size in ((1, (64, 160)), (2, (32, 32)), (5, (96, 64))):
        x = torch.randn(batch, 13, *size)
        assert_same(run(tmp_path / "small.onnx", x), backbone(x))


def test_onnx_of_a_fixed_odd_size(build, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    backbone = build(**NAMED)
    backbone.save(tmp_path / "backbone.pth")
    main(tmp_path / "backbone.pth", tmp_path / "small.onnx", artifact=None, task=None, size=50)
    for batch in (1, 2, 5):
        x = torch.randn(batch, 3, 50, 50)
        assert_same(run(tmp_path / "small.onnx", x), backbone(x))
    facts = {fact.key: fact.value for fact in onnx.load(tmp_path / "small.onnx").metadata_props}
    assert json.loads(facts["specialists"]) == ["all"]
    assert json.loads(facts["input"])["bands"] == ["vv", "vh", "vh"]


@pytest.mark.parametrize("size", [0, -32])
def test_a_size_without_pixels_is_refused(build, tmp_path, size):
    pytest.importorskip("onnxscript")
    with pytest.raises(EosfmError, match=f"size is {size}; expected a whole number of pixels"):
        export_onnx(build(**NAMED), tmp_path / "x.onnx", size)
    assert not list(tmp_path.iterdir())


def test_what_to_install(build, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(EosfmError, match=r"onnxscript is not installed; pip install '\.\[onnx"):
        export_onnx(build(**NAMED), tmp_path / "x.onnx")
