import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eosfm.core.errors import EosfmError
from eosfm.encoding.adaptation import InputSpec
from eosfm.fusion.fuser import FUSIONS, NORMALIZERS, Fuser
from eosfm.fusion.layers import BatchNorm, geometric_mean

CHANNELS = (4, 6)
INPUTS = [InputSpec(name, CHANNELS, index) for name, index in (("a", 0), ("b", 1), ("b", 1),
                                                               ("c", 3), ("d", 4))]  # fmt: skip
SELECTIONS = [None, ("topk", False), ("topk", True), ("smooth", False), ("smooth", True)]


def pyramids(count=5, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        [torch.randn(batch, width, 8 // 2**k, 8 // 2**k, generator=generator)
         for k, width in enumerate(CHANNELS)]
        for _ in range(count)
    ]  # fmt: skip


def train_a_little(fuser, steps=5):
    optimizer = torch.optim.AdamW(fuser.parameters(), 1e-2) if list(fuser.parameters()) else None
    for step in range(steps):
        loss = sum(level.square().mean() for level in fuser.train()(pyramids(seed=step)))
        if not loss.requires_grad:
            return
        loss.backward()
        if optimizer:
            optimizer.step()
            optimizer.zero_grad()


@pytest.mark.parametrize(
    ("fusion", "normalize", "projection", "selection"),
    itertools.product(FUSIONS, NORMALIZERS, (False, True), SELECTIONS),
)
def test_contract(fusion, normalize, projection, selection):
    torch.manual_seed(0)
    options = {"fusion": fusion, "normalize": normalize, "projection": projection}
    if selection:
        mode, scale = selection
        options |= {"max_encoders": 2, "selection": mode, "scale_features": scale}
    fuser = Fuser(INPUTS, width_multiplier=1.5, **options)

    maps = fuser(pyramids())
    assert [tuple(level.shape) for level in maps] == [
        (2, width, 8 // 2**k, 8 // 2**k) for k, width in enumerate(fuser.out_channels)
    ]
    if any(level.requires_grad for level in maps):
        sum((level * level.detach().cos()).sum() for level in maps).backward()
        mixers = list(fuser.mixers.parameters())
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in mixers)
    train_a_little(fuser)

    fuser.eval()
    with torch.no_grad():
        whole = fuser(pyramids())
        kept = fuser.selected
        assert len(kept) == (2 if selection else 4)
        small = fuser.prune()
        assert not small.training
        places = [place for place, spec in enumerate(INPUTS) if spec.name in kept]
        assert [spec.name for spec in small.inputs] == [INPUTS[place].name for place in places]
        pruned = small([pyramids()[place] for place in places])
        again = Fuser.from_settings(small.settings())
        again.load_state_dict(small.state_dict())
        loaded = again.eval()([pyramids()[place] for place in places])
    assert small.out_channels == fuser.out_channels
    for one, two, three in zip(whole, pruned, loaded, strict=True):
        torch.testing.assert_close(one, two)
        assert torch.equal(two, three)

    twin = Fuser(INPUTS, width_multiplier=1.5, **options).eval()
    twin.load_state_dict(fuser.state_dict())
    for one, two in zip(whole, twin(pyramids()), strict=True):
        assert torch.equal(one, two)


def test_plain_fusions_by_hand():
    (a, b) = [[torch.full((1, 1, 1, 1), value)] for value in (3.0, -12.0)]
    inputs = [InputSpec("a", (1,)), InputSpec("b", (1,))]

    def fused(fusion):
        return Fuser(inputs, fusion=fusion, normalize="none")([a, b])[0].flatten().tolist()

    assert fused("concat") == [3.0, -12.0]
    assert fused("addition") == [-9.0]
    assert fused("multiplication") == pytest.approx([-6.0])  # the signed root of the product


def test_widths():
    wide = InputSpec("w", (10, 20))
    assert Fuser([*INPUTS[:1], wide], fusion="conv1x1", width_multiplier=2).out_channels == [8, 12]
    assert Fuser([*INPUTS[:1], wide], fusion="concat").out_channels == [14, 26]
    mlp = Fuser([*INPUTS[:1], wide], fusion="mlp")
    assert mlp.out_channels == [4, 6]
    assert mlp.mixers[0][0].out_channels == int(1.25 * 14)


@pytest.mark.parametrize("fusion", ["addition", "multiplication"])
def test_different_pyramids_are_refused_early_or_projected(fusion):
    inputs = [InputSpec("a", (4, 6)), InputSpec("w", (5, 7))]
    with pytest.raises(EosfmError, match="set projection=True"):
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
    fuser = Fuser(INPUTS, fusion="multiplication", normalize="none", max_encoders=1).eval()
    assert all(level.abs().min() > 0 for level in fuser(pyramids()))


def test_ablated_specialists_are_left_out_not_zeroed():
    everything = pyramids()
    for ablate in (["b"], [1]):
        torch.manual_seed(0)
        fuser = Fuser(INPUTS, fusion="concat", ablate=ablate)
        rest = Fuser([spec for spec in INPUTS if spec.name != "b"], fusion="concat")
        assert fuser.names == ["a", "c", "d"]
        assert fuser.out_channels == rest.out_channels
        assert len(fuser.state_dict()) == len(rest.state_dict())
        expected = rest([everything[place] for place in (0, 3, 4)])
        for one, two in zip(fuser(everything), expected, strict=True):
            torch.testing.assert_close(one, two)
    with pytest.raises(EosfmError, match="valid: a, b, c, d"):
        Fuser(INPUTS, ablate=["e"])
    with pytest.raises(EosfmError, match="leaves no specialist"):
        Fuser(INPUTS, ablate=["a", "b", "c", "d"])


def test_once_settled_the_others_are_not_asked_for():
    fuser = Fuser(INPUTS, fusion="conv1x1", max_encoders=1)
    assert len(fuser.needed()) == 5
    fuser.selection.active[:3] = False
    assert fuser.train().needed() == [4]
    alone = fuser([None, None, None, None, pyramids()[4]])
    for one, two in zip(alone, fuser(pyramids()), strict=True):
        assert torch.equal(one, two)


def test_ablation_and_selection_together():
    fuser = Fuser(INPUTS, fusion="conv1x1", ablate=["a"], max_encoders=2)
    train_a_little(fuser)
    whole = fuser.eval()(pyramids())
    places = [place for place, spec in enumerate(INPUTS) if spec.name in fuser.selected]
    pruned = fuser.prune()([pyramids()[place] for place in places])
    for one, two in zip(whole, pruned, strict=True):
        torch.testing.assert_close(one, two)


def test_two_pyramids_of_a_specialist_share_a_gate_and_not_a_normaliser():
    assert Fuser(INPUTS, max_encoders=1).selection.count == 4
    fuser = Fuser(INPUTS, fusion="concat", normalize="batch")
    assert len(fuser.norms) == 5
    images = pyramids()
    images[2] = [100 * level + 1000 for level in images[2]]  # the same specialist, other statistics
    blocks = fuser(images)[0].split(CHANNELS[0], dim=1)
    for block in blocks:
        assert block.mean().abs() < 1e-3
        assert (block.std() - 1).abs() < 0.05


def test_batch_normalisation_normalises_before_training():
    norm = BatchNorm(3).eval()
    x = 50 + 10 * torch.randn(4, 3, 8, 8)
    assert norm(x).mean().abs() < 1e-4
    assert (norm(x).std() - 1).abs() < 0.01
    assert norm.num_batches_tracked == 0
    norm.train()(x)
    shifted = norm.eval()(x + 1000)  # from now on the tracked statistics count
    assert shifted.mean() > 10

    again = BatchNorm(3).eval()
    again.load_state_dict(norm.state_dict())
    assert torch.equal(again(x + 1000), shifted)
    again.load_state_dict(BatchNorm(3).state_dict())
    assert again(x).mean().abs() < 1e-4


def test_batch_normalisation_of_single_values():
    norm = BatchNorm(3).train()
    x = torch.randn(1, 3, 1, 1)
    assert torch.isfinite(norm(x)).all()
    assert norm.num_batches_tracked == 0


def test_too_many_encoders_asked_for():
    with pytest.raises(EosfmError, match="max_encoders is 5, but 4 specialists are fed"):
        Fuser(INPUTS, max_encoders=5)
    assert Fuser(INPUTS, max_encoders=4).selection is None


@pytest.mark.parametrize("option", ["fusion", "normalize", "selection"])
def test_unknown_options(option):
    with pytest.raises(EosfmError, match=f"{option} is 'x'; valid:"):
        Fuser(INPUTS, **{option: "x"})


def test_wrong_pyramids():
    fuser = Fuser(INPUTS)
    with pytest.raises(EosfmError, match="4 pyramids given, 5 expected"):
        fuser(pyramids(4))
    wrong = pyramids()
    wrong[1][0] = torch.zeros(2, 5, 8, 8)
    with pytest.raises(EosfmError, match=r"pyramid of 'b' has channels \(5, 6\)"):
        fuser(wrong)


def test_stored_half_precision():
    fuser = Fuser(INPUTS).eval()
    half = [[level.half() for level in pyramid] for pyramid in pyramids()]
    for one, two in zip(fuser(half), fuser(pyramids()), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, two, atol=1e-2, rtol=1e-2)


def test_input_spec_as_plain_values():
    spec = InputSpec("a", (4, 6), 2, "rgb", ("B04", "mean"), (3, None), "note")
    assert InputSpec.from_dict(spec.as_dict()) == spec


def test_features_are_scaled_where_all_specialists_are_kept():
    """Specialists that were chosen before are fitted alone, and still have factors to learn."""
    fuser = Fuser(INPUTS[:1], fusion="addition", max_encoders=1, scale_features=True)
    sum(level.sum() for level in fuser.train()(pyramids(1))).backward()
    assert fuser.selection.scale.grad.abs() > 0
    scale = 2.0
    with torch.no_grad():
        fuser.selection.scale.fill_(scale)
        output = fuser.eval()(pyramids(1))
        fuser.selection.scale.fill_(1.0)
        plain = fuser(pyramids(1))
    for scaled, level in zip(output, plain, strict=True):
        torch.testing.assert_close(scaled, scale * level)
