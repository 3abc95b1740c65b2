"""The specialists' models side by side: equal to timm's, frozen, weights checked."""

import copy
import pickle
from dataclasses import replace

import pytest
import timm
import torch

from eosfm.core.errors import EosfmError
from eosfm.encoding.models import MOST_GROUPS, SpecialistModels
from eosfm.encoding.randomize import randomize
from eosfm.nn.grouped import GroupedEncoders
from eosfm.nn.specialist import Specialist

ATTO = "convnextv2_atto"
SHAPES = {"rgb": 3, "s2": 13, "sar": 2}


def ensemble(names=SHAPES):
    """Fresh GRN layers are the identity and would hide a mistake."""
    fresh = randomize([Specialist(name, ATTO, SHAPES[name], {}) for name in names], seed=0)
    generator = torch.Generator().manual_seed(1)

    def weights(specialist):
        return {
            key: torch.randn(value.shape, generator=generator) * (0.5 if "grn" in key else 0.05)
            for key, value in specialist.state_dict.items()
        }

    return [replace(specialist, state_dict=weights(specialist)) for specialist in fresh]


@pytest.fixture(scope="module")
def members():
    return ensemble()


@pytest.fixture(scope="module")
def models(members):
    return SpecialistModels(members)


def plain(specialist: Specialist, image: torch.Tensor) -> list[torch.Tensor]:
    model = timm.create_model(
        specialist.backbone, features_only=True, in_chans=specialist.in_chans
    ).eval()
    model.load_state_dict(specialist.state_dict)
    with torch.no_grad():
        return model(image)


def assert_same(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).norm() <= 1e-5 * theirs.norm()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_equals_timm_in_input_order(members, models, size, threads):
    images = [(0, torch.randn(2, 3, *size)), (1, torch.randn(2, 13, *size))]
    images += [(0, torch.randn(1, 3, *size)), (2, torch.randn(2, 2, *size))]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        pyramids = models(images)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(pyramids) == 4
    for (index, image), pyramid in zip(images, pyramids, strict=True):
        assert_same(pyramid, plain(members[index], image))


def test_grouped_equals_timm(members, models):
    images = [(0, torch.randn(2, 3, 64, 96)), (1, torch.randn(2, 13, 64, 96))]
    images += [(2, torch.randn(2, 2, 32, 32)), (0, torch.randn(2, 3, 64, 96))]
    pyramids = models.run_grouped(images)
    for (index, image), pyramid in zip(images, pyramids, strict=True):
        expected = plain(members[index], image)
        assert_same(pyramid, expected)
        for ours, theirs in zip(pyramid, expected, strict=True):
            assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def test_a_group_is_one_call_of_its_members(models, monkeypatch):
    calls = []
    monkeypatch.setattr(SpecialistModels, "_run", lambda *_: calls.append("alone"))
    convolve = torch.nn.functional.conv2d
    monkeypatch.setattr(
        "eosfm.nn.grouped.F.conv2d", lambda *a, **k: calls.append("grouped") or convolve(*a, **k)
    )
    models.run_grouped([(0, torch.randn(1, 3, 32, 32)), (2, torch.randn(1, 2, 32, 32))])
    stems, blocks = 2, 2 + 2 + 6 + 2
    assert calls == ["grouped"] * (stems + blocks)


def test_groups_of_other_batches_are_kept_side_by_side(models, monkeypatch):
    """A specialist that is given an image in two forms has a batch twice as large as others."""
    made = []
    monkeypatch.setattr(
        "eosfm.encoding.models.GroupedEncoders",
        lambda some: made.append(some) or GroupedEncoders(some),
    )
    models.forget_groups()
    one = [(0, torch.randn(1, 3, 32, 32)), (2, torch.randn(1, 2, 32, 32))]
    two = [(0, torch.randn(2, 3, 32, 32)), (1, torch.randn(2, 13, 32, 32))]
    for _ in range(3):
        models.run_grouped([*one, *two])
    assert len(made) == 2
    for index in range(10):
        models._run_group([*one, *one[:1]] + one[:1] * index)
    assert len(models._groups) <= MOST_GROUPS
    models.forget_groups()


def test_a_group_follows_its_weights(members):
    models = SpecialistModels(ensemble())
    images = [(0, torch.randn(1, 3, 32, 32)), (2, torch.randn(1, 2, 32, 32))]
    before = models.run_grouped(images)
    models.load_state_dict(SpecialistModels(randomize(ensemble(), seed=1)).state_dict())
    assert not torch.allclose(before[0][3], models.run_grouped(images)[0][3])
    assert_same(models.run_grouped(images)[0], models.run_alone(images)[0])
    models.double()
    doubled = [(index, image.double()) for index, image in images]
    assert models.run_grouped(doubled)[0][0].dtype == torch.float64


def test_grouped_in_half_precision(models):
    images = [(0, torch.randn(1, 3, 64, 64)), (2, torch.randn(1, 2, 64, 64))]
    models._groups.clear()  # those of other precision are made anew, inside autocast
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = models.run_grouped(images)
    for low, full in zip(half, models.run_alone(images), strict=True):
        difference = (low[3].float() - full[3]).norm() / full[3].norm()
        assert 1e-6 < difference < 0.1
    for single, full in zip(models.run_grouped(images), models.run_alone(images), strict=True):
        assert_same(single, full)


def test_a_model_that_is_not_asked_for_does_not_run(models):
    called = []
    hooks = [
        model.register_forward_hook(lambda *_, i=i: called.append(i))
        for i, model in enumerate(models)
    ]
    models([(2, torch.randn(1, 2, 32, 32)), (2, torch.randn(1, 2, 32, 32))])
    for hook in hooks:
        hook.remove()
    assert called == [2]


def test_frozen_stays_frozen():
    models = SpecialistModels(ensemble(["rgb"])).train()
    assert not models[0].training
    image = torch.randn(1, 3, 32, 32)
    assert not any(level.requires_grad for level in models([(0, image)])[0])
    assert not any(parameter.requires_grad for parameter in models.parameters())


def test_a_gradient_passes_through_frozen_models_to_what_asks_for_it():
    models = SpecialistModels(ensemble(["rgb"])).train()
    image = torch.randn(1, 3, 32, 32, requires_grad=True)
    models([(0, image)])[0][3].sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in models.parameters())
    models.requires_grad_(True)  # as who unfreezes a network does
    models([(0, torch.randn(1, 3, 32, 32))])[0][3].sum().backward()
    assert all(parameter.grad is not None for parameter in models.parameters())
    assert not models[0].training


def test_a_group_sees_a_change_in_place_and_is_not_pickled():
    models = SpecialistModels(ensemble(["rgb", "sar"]))
    jobs = [(0, torch.randn(1, 3, 32, 32)), (1, torch.randn(1, 2, 32, 32))]
    size = len(pickle.dumps(models))
    before = models.run_grouped(jobs)
    assert len(pickle.dumps(models)) == size
    with torch.no_grad():
        next(models[0].parameters()).mul_(1.5)
    after = models.run_grouped(jobs)
    assert not torch.allclose(before[0][3], after[0][3])
    assert_same(after[0], models.run_alone(jobs)[0])


def test_unfrozen_trains():
    models = SpecialistModels(ensemble(["rgb"]), freeze=False).train()
    assert models[0].training
    models([(0, torch.randn(2, 3, 32, 32))])[0][3].sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all()
        for parameter in models.parameters()
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_autocast_reaches_every_encoder(models, threads):
    images = [(0, torch.randn(1, 3, 32, 32)), (2, torch.randn(1, 2, 32, 32))]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = models(images)
    finally:
        torch.set_num_threads(before)
    for low, full in zip(half, models(images), strict=True):
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
    members = randomize([Specialist("swin", name, 3, {})], seed=0)
    models = SpecialistModels(members)
    image = torch.randn(1, 3, 224, 224)
    pyramid = models([(0, image)])[0]
    grouped = models.run_grouped([(0, image), (0, image)])[1]  # no ConvNeXt: one by one
    assert all(map(torch.equal, grouped, pyramid))
    assert [level.shape[1:] for level in pyramid] == [
        (96, 56, 56), (192, 28, 28), (384, 14, 14), (768, 7, 7)
    ]  # fmt: skip
    expected = [level.permute(0, 3, 1, 2) for level in plain(members[0], image)]
    assert_same(pyramid, expected)
    assert models.channels(0) == (96, 192, 384, 768)


def test_weights_are_taken_over():
    (member,) = ensemble(["rgb"])
    (model,) = SpecialistModels([member])
    bias = member.state_dict["stem_0.bias"]
    assert model.state_dict()["stem_0.bias"].data_ptr() == bias.data_ptr()


def test_weights_have_the_type_of_the_backbone():
    (member,) = ensemble(["rgb"])
    half = {key: value.half() for key, value in member.state_dict.items()}
    models = SpecialistModels([replace(member, state_dict=half)], freeze=False)
    assert {parameter.dtype for parameter in models.parameters()} == {torch.float32}
    assert all(parameter.requires_grad for parameter in models.parameters())


def test_weights_must_fit(members):
    rgb = members[0].state_dict
    with pytest.raises(EosfmError, match=r"'s2' do not fit.*stem_0\.weight is \(40, 3, 4, 4\)"):
        SpecialistModels([members[0], replace(members[1], state_dict=rgb)])
    short = {key: value for key, value in rgb.items() if key != "stem_0.bias"}
    with pytest.raises(EosfmError, match=r"stem_0\.bias is missing"):
        SpecialistModels([replace(members[0], state_dict=short)])
    with pytest.raises(EosfmError, match=r"head\.weight.*expected no such key"):
        SpecialistModels([replace(members[0], state_dict={**rgb, "head.weight": torch.zeros(1)})])


@pytest.mark.parametrize(
    ("backbone", "message"),
    [("convnextv3_atto", "unknown to timm"), ("vit_small_patch14_dinov2", "strides")],
)
def test_unusable_backbones_are_refused(backbone, message):
    with pytest.raises(EosfmError, match=f"mine: .*{message}"):
        SpecialistModels([Specialist("mine", backbone, 3, {})])


def test_copies_and_state_dicts_survive(models):
    twin = copy.deepcopy(models)
    other = SpecialistModels(randomize(ensemble(), seed=1))
    other.load_state_dict(models.state_dict())
    images = [(1, torch.randn(1, 13, 32, 32))]
    for candidate in (twin, other):
        assert_same(candidate(images)[0], models(images)[0])
