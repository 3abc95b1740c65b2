import copy

import pytest
import timm
import torch

from eosfm.core.errors import EosfmError
from eosfm.encoding.encoders import Encoders, EncoderSpec

ATTO = "convnextv2_atto"
SPECS = [EncoderSpec("rgb", ATTO, 3), EncoderSpec("s2", ATTO, 13), EncoderSpec("sar", ATTO, 2)]


def randomised(encoders: Encoders) -> Encoders:
    """Fresh GRN layers are the identity and would hide a mistake."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in encoders.named_parameters():
            spread = 0.5 if "grn" in name else 0.05
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    return encoders


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    return randomised(Encoders(SPECS))


def plain(encoders: Encoders, index: int, image: torch.Tensor) -> list[torch.Tensor]:
    spec = encoders.specs[index]
    model = timm.create_model(spec.backbone, features_only=True, in_chans=spec.in_chans).eval()
    model.load_state_dict(encoders.models[index].state_dict())
    with torch.no_grad():
        return model(image)


def assert_same(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).norm() <= 1e-5 * theirs.norm()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_equals_timm_in_input_order(encoders, size, threads):
    inputs = [(0, torch.randn(2, 3, *size)), (1, torch.randn(2, 13, *size))]
    inputs += [(0, torch.randn(1, 3, *size)), (2, torch.randn(2, 2, *size))]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        pyramids = encoders(inputs)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(pyramids) == 4
    for (index, image), pyramid in zip(inputs, pyramids, strict=True):
        assert_same(pyramid, plain(encoders, index, image))


def test_an_encoder_that_is_not_asked_for_does_not_run(encoders):
    called = []
    hooks = [
        model.register_forward_hook(lambda *_, i=i: called.append(i))
        for i, model in enumerate(encoders.models)
    ]
    encoders([(2, torch.randn(1, 2, 32, 32)), (2, torch.randn(1, 2, 32, 32))])
    for hook in hooks:
        hook.remove()
    assert called == [2]


def test_frozen_stays_frozen():
    encoders = Encoders(SPECS[:1]).train()
    assert not encoders.models[0].training
    image = torch.randn(1, 3, 32, 32, requires_grad=True)
    assert not any(level.requires_grad for level in encoders([(0, image)])[0])
    assert not any(parameter.requires_grad for parameter in encoders.parameters())


def test_unfrozen_trains():
    encoders = randomised(Encoders(SPECS[:1], freeze=False)).train()
    assert encoders.models[0].training
    encoders([(0, torch.randn(2, 3, 32, 32))])[0][3].sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all()
        for parameter in encoders.parameters()
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_autocast_reaches_every_encoder(encoders, threads):
    inputs = [(0, torch.randn(1, 3, 32, 32)), (2, torch.randn(1, 2, 32, 32))]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = encoders(inputs)
    finally:
        torch.set_num_threads(before)
    for low, full in zip(half, encoders(inputs), strict=True):
        difference = (low[3].float() - full[3]).norm() / full[3].norm()
        assert 1e-6 < difference < 0.1


def test_large_activations_survive_half_precision():
    from eosfm.nn.grn import LeanResponseNorm

    norm = LeanResponseNorm(4, channels_last=False)
    torch.nn.init.ones_(norm.weight)
    x = torch.full((1, 4, 8, 8), 1000.0)
    assert torch.equal(norm(x.bfloat16()).float(), norm(x))
    assert norm(x.half()).isfinite().all()


def test_channels_last_backbones_give_channels_first_maps():
    name = "swin_tiny_patch4_window7_224"
    encoders = Encoders([EncoderSpec("swin", name, 3)])
    image = torch.randn(1, 3, 224, 224)
    pyramid = encoders([(0, image)])[0]
    assert [level.shape[1:] for level in pyramid] == [
        (96, 56, 56), (192, 28, 28), (384, 14, 14), (768, 7, 7)
    ]  # fmt: skip
    expected = [level.permute(0, 3, 1, 2) for level in plain(encoders, 0, image)]
    assert_same(pyramid, expected)
    assert encoders.channels(0) == [96, 192, 384, 768]


def test_weights_are_taken_over(encoders):
    states = [copy.deepcopy(model.state_dict()) for model in encoders.models]
    other = Encoders(SPECS, states)
    inputs = [(0, torch.randn(1, 3, 32, 32))]
    assert_same(other(inputs)[0], encoders(inputs)[0])
    assert other.models[0].state_dict()["stem_0.bias"].data_ptr() == (
        states[0]["stem_0.bias"].data_ptr()
    )
    assert not any(parameter.requires_grad for parameter in other.parameters())


def test_weights_have_the_type_of_the_backbone(encoders):
    half = {key: value.half() for key, value in encoders.models[0].state_dict().items()}
    other = Encoders(SPECS[:1], [half], freeze=False)
    assert {parameter.dtype for parameter in other.parameters()} == {torch.float32}
    assert all(parameter.requires_grad for parameter in other.parameters())


def test_weights_must_fit(encoders):
    states = [dict(model.state_dict()) for model in encoders.models]
    with pytest.raises(EosfmError, match=r"'s2' do not fit.*stem_0\.weight is \(40, 3, 4, 4\)"):
        Encoders(SPECS, [states[0], states[0], states[2]])
    short = {key: value for key, value in states[0].items() if key != "stem_0.bias"}
    with pytest.raises(EosfmError, match=r"stem_0\.bias is missing"):
        Encoders(SPECS[:1], [short])
    with pytest.raises(EosfmError, match=r"head\.weight.*expected no such key"):
        Encoders(SPECS[:1], [{**states[0], "head.weight": torch.zeros(1)}])


@pytest.mark.parametrize(
    ("backbone", "message"),
    [("convnextv3_atto", "cannot build"), ("vit_tiny_patch16_224", "strides")],
)
def test_unusable_backbones_are_refused(backbone, message):
    with pytest.raises(EosfmError, match=f"mine: .*{message}"):
        Encoders([EncoderSpec("mine", backbone, 3)])


def test_copies_and_state_dicts_survive(encoders):
    twin = copy.deepcopy(encoders)
    other = Encoders(SPECS)
    other.load_state_dict(encoders.state_dict())
    inputs = [(1, torch.randn(1, 13, 32, 32))]
    for candidate in (twin, other):
        assert_same(candidate(inputs)[0], encoders(inputs)[0])
