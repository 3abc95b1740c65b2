"""Every method of fusion keeps the contract; what is special about each."""

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eosfm.core.closure import ROOT
from eosfm.core.errors import EosfmError
from eosfm.encoding.input import InputSpec
from eosfm.fusion import FUSIONS
from eosfm.fusion.fuser import Fuser
from eosfm.fusion.geometric_mean import geometric_mean
from eosfm.fusion.multiplication import factor
from eosfm.fusion.scores import Scores
from eosfm.params import Fusion
from tests.fusion.base import INPUTS, FusionContract, pyramids
from tests.test_docs import blocks

NEW, _ = blocks(ROOT / "docs/your-method.md", "python")


class TestConcat(FusionContract):
    fusion, width = "concat", 20


class TestConv1x1(FusionContract):
    fusion, width = "conv1x1", 6


class TestMlp(FusionContract):
    fusion, width = "mlp", 6


class TestAddition(FusionContract):
    fusion, width = "addition", 4


class TestMultiplication(FusionContract):
    fusion, width = "multiplication", 4


class TestGeometricMean(FusionContract):
    fusion, width = "geometric_mean", 4


class TestNewMethod(FusionContract):
    """One file, and one line in the table."""

    fusion, width = "largest", 4

    @pytest.fixture(autouse=True)
    def add(self, tmp_path, monkeypatch):
        (tmp_path / "largest_fusion.py").write_text(NEW)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(FUSIONS, "largest", "largest_fusion.Largest")


def test_every_method_has_a_contract():
    tested = {contract.fusion for contract in FusionContract.__subclasses__()}
    assert tested - {"largest"} == set(FUSIONS)


def test_plain_fusions_by_hand():
    (a, b) = [[torch.full((1, 1, 1, 1), value)] for value in (3.0, -12.0)]
    inputs = [InputSpec("a", (1,)), InputSpec("b", (1,))]

    def fused(fusion):
        return Fuser(inputs, fusion=fusion, normalize="none")([a, b])[0].flatten().tolist()

    assert fused("concat") == [3.0, -12.0]
    assert fused("addition") == [-9.0]
    assert fused("multiplication") == [-36.0]
    assert fused("geometric_mean") == pytest.approx([-6.0])  # the signed root of the product


def test_widths():
    wide = InputSpec("w", (10, 20))
    assert Fuser([*INPUTS[:1], wide], fusion="conv1x1", width_multiplier=2).out_channels == [8, 12]
    assert Fuser([*INPUTS[:1], wide], fusion="concat").out_channels == [14, 26]
    mlp = Fuser([*INPUTS[:1], wide], fusion="mlp")
    assert mlp.out_channels == [4, 6]
    assert mlp.mixers[0][0].out_channels == int(1.25 * 14)


@pytest.mark.parametrize("fusion", ["addition", "multiplication", "geometric_mean"])
def test_different_pyramids_are_refused_early_or_projected(fusion):
    inputs = [InputSpec("a", (4, 6)), InputSpec("w", (5, 7))]
    with pytest.raises(EosfmError, match="set projection to true"):
        Fuser(inputs, fusion=fusion)
    fuser = Fuser(inputs, fusion=fusion, projection=True)
    maps = fuser([[torch.randn(1, c, 2, 2) for c in spec.channels] for spec in inputs])
    assert [level.shape[1] for level in maps] == [4, 6]


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 60), scale=st.floats(1e-3, 1e3))
def test_many_factors_neither_vanish_nor_explode(count, scale):
    maps = [scale * torch.randn(1, 4, 8, 8) for _ in range(count)]
    size = geometric_mean([(values, None) for values in maps]).abs().median()
    assert 0.1 * scale < size < 2 * scale


def test_a_mask_does_not_zero_the_product():
    fuser = Fuser(INPUTS, fusion="geometric_mean", normalize="none", max_encoders=1).eval()
    assert all(level.abs().min() > 0 for level in fuser(pyramids()))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_gates_close_is_left_out_in_training_as_in_evaluation(fusion):
    torch.manual_seed(0)
    options = {"max_encoders": 2, "selection": "published_topk", "scale_features": True}
    fuser = Fuser(INPUTS, fusion=fusion, normalize="none", **options)
    torch.nn.init.uniform_(fuser.selection.scores)
    for trained, evaluated in zip(fuser.train()(pyramids()), fuser.eval()(pyramids()), strict=True):
        torch.testing.assert_close(trained, evaluated)


def test_a_closed_factor_tells_what_opening_it_would_change():
    values, gate = torch.tensor([3.0, -1.0]), torch.zeros((), requires_grad=True)
    result = factor(values, gate)
    assert result.tolist() == [1.0, 1.0]
    result.sum().backward()
    assert gate.grad == (values - 1).sum()


def test_of_equal_scores_the_first_are_kept():
    assert Scores(24, 5, "topk", False).selected == [0, 1, 2, 3, 4]
    scores = Scores(4, 2, "topk", True)
    scores.scores.data = torch.tensor([0.5, 2.0, 0.5, 0.1])
    assert scores.selected == [0, 1] and scores().tolist() == [0.5, 2.0, 0.0, 0.0]


def test_params_take_every_method():
    assert get_args(Fusion.model_fields["method"].annotation) == tuple(FUSIONS)
