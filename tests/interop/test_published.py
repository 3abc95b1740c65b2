"""Fusion as published: the same maps as its formulas, written down here once more, plainly."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from eosfm import EosFM
from eosfm.core.errors import EosfmError
from eosfm.interop.published import load_published_state, published_state

METHODS = ("concat", "conv1x1", "mlp", "addition", "multiplication")
CASES = [
    {"fusion": fusion, "normalize": normalize, "projection": projection}
    for fusion, normalize, projection in itertools.product(
        METHODS, ("batch", "layer", "none"), (False, True)
    )
]
CASES += [
    {"fusion": fusion, "normalize": "batch", "projection": True, "max_encoders": 2,
     "selection": f"published_{mode}", "scale_features": scaled, "width_multiplier": 1.3}
    for fusion in METHODS for mode in ("topk", "smooth") for scaled in (False, True)
    if (fusion, mode) != ("multiplication", "topk")
]  # fmt: skip


def randomise(module):
    """Every weight and statistic anything but what it was."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        if name.startswith(("encoder.", "fuser.gates")) or not tensor.is_floating_point():
            continue
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.3)
        if name.endswith("running_var"):
            tensor.abs_().add_(0.5)


def published(pyramids, owners, state, case, training):
    """The fused levels by the published formulas, from weights by their published names."""
    running = {key: value.clone() for key, value in state.items() if "running" in key}
    gates = published_gates(state, case)
    prepared = []
    for pyramid, owner in zip(pyramids, owners, strict=True):
        levels = []
        for k, level in enumerate(pyramid):
            if case["normalize"] == "batch":
                key = f"feature_normalizers.{owner}.{k}.running_"
                mean, var = running[key + "mean"], running[key + "var"]
                level = F.batch_norm(level, mean, var, training=training, momentum=0.1, eps=1e-5)
            elif case["normalize"] == "layer":
                centred = level - level.mean(dim=(1, 2, 3), keepdim=True)
                level = centred / (centred.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-5).sqrt()
            if case["projection"]:
                key = f"feature_projections.{owner}.{k}.0."
                level = F.leaky_relu(F.conv2d(level, state[key + "weight"], state[key + "bias"]))
            levels.append(level * gates[owner])
        prepared.append(levels)
    fused = []
    for k, maps in enumerate(zip(*prepared, strict=True)):
        side_by_side, key = torch.cat(maps, dim=1), f"feature_fusion.{k}."
        if case["fusion"] == "addition":
            fused.append(sum(maps))
        elif case["fusion"] == "multiplication":
            product = maps[0]
            for other in maps[1:]:
                product = product * other
            fused.append(product)
        elif case["fusion"] == "concat":
            fused.append(side_by_side)
        elif case["fusion"] == "conv1x1":
            fused.append(F.conv2d(side_by_side, state[key + "weight"], state[key + "bias"]))
        else:
            hidden = F.conv2d(side_by_side, state[key + "0.weight"], state[key + "0.bias"])
            hidden = F.relu(hidden)
            fused.append(F.conv2d(hidden, state[key + "2.weight"], state[key + "2.bias"]))
    return fused, running


def published_gates(state, case):
    if "max_encoders" not in case:
        return torch.ones(99)
    scores = state["encoder_selector.specialists_weights"]
    if case["selection"] == "published_smooth":
        return scores if case["scale_features"] else 1 / (1 + torch.exp(-scores))
    gates = torch.zeros_like(scores)
    for index in sorted(range(len(scores)), key=lambda i: -scores[i])[: case["max_encoders"]]:
        gates[index] = scores[index] if case["scale_features"] else 1.0
    return gates


@pytest.fixture
def backbone(make_specialist):
    """Fed by four channels counted, of which one specialist gives two pyramids."""
    specialists = [make_specialist(name, n) for name, n in (("rgb", 3), ("four", 4), ("cir", 3))]

    def build(**options):
        return EosFM.from_specialists(specialists, in_chans=4, adaptation="counted", **options)

    return build


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_same_maps_from_the_same_weights(backbone, case):
    torch.manual_seed(0)
    model = backbone(**case)
    randomise(model)
    state = {key: value.clone() for key, value in published_state(model).items()}
    x = torch.randn(3, 4, 64, 64)
    with torch.no_grad():
        pyramids = model.encode(x)
        owners = [model.fuser.names.index(spec.name) for spec in model.inputs]
        for training in (False, True):
            found = model.train(training)(x)
            expected, running = published(pyramids, owners, state, case, training)
            for ours, theirs in zip(found, expected, strict=True):
                assert ours.shape == theirs.shape
                assert (ours - theirs).norm() <= 1e-5 * theirs.norm()
    after = published_state(model)
    for key, value in running.items():
        torch.testing.assert_close(after[key], value)


@pytest.mark.parametrize("case", [CASES[1], CASES[-11]], ids=["batch", "selection"])
def test_weights_go_there_and_back(backbone, case):
    one, two = backbone(**case), backbone(**case)
    randomise(one)
    two.encoder.models._groups[0,] = None  # as a GPU leaves one
    load_published_state(two, published_state(one))
    assert not two.encoder.models._groups  # copies of the weights before
    for key, value in one.state_dict().items():
        assert torch.equal(two.state_dict()[key], value), key


def test_the_product_of_the_selected_is_not_zero(backbone):
    """Published, those left out are zeros, and a product with them is zero everywhere."""
    model = backbone(
        fusion="multiplication", normalize="batch", max_encoders=2, selection="published_topk"
    ).eval()
    with torch.no_grad():
        assert all(level.abs().sum() > 0 for level in model(torch.randn(1, 4, 64, 64)))


LAYERS = {"conv1x1": [""], "mlp": ["0.", "2."]}
"""Parts of a level's fusion that have weights."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_names_as_the_published_code_has_them(backbone, case):
    expected, places = set(), [f"{owner}.{k}" for owner in range(3) for k in range(4)]
    if case["normalize"] == "batch":
        kept = ("running_mean", "running_var", "num_batches_tracked")
        expected |= {f"feature_normalizers.{at}.{what}" for at in places for what in kept}
    for what in ("weight", "bias"):
        if case["projection"]:
            expected |= {f"feature_projections.{at}.0.{what}" for at in places}
        layers = LAYERS.get(case["fusion"], [])
        expected |= {f"feature_fusion.{k}.{layer}{what}" for k in range(4) for layer in layers}
    if "selection" in case:
        expected.add("encoder_selector.specialists_weights")
    names = {name for name in published_state(backbone(**case)) if not name.startswith("encoders.")}
    assert names == expected
    assert "encoders.0.stem_0.weight" in published_state(backbone(**case))


def test_what_has_no_published_form_is_refused(backbone):
    with pytest.raises(EosfmError, match="normalize=pixel has no published form"):
        published_state(backbone())
    with pytest.raises(EosfmError, match="selection=topk has no published form"):
        published_state(backbone(normalize="batch", max_encoders=1))


def test_other_weights_are_refused(backbone):
    model = backbone(normalize="batch", fusion="conv1x1")
    state = published_state(model)
    with pytest.raises(EosfmError, match=r"1 missing \(feature_fusion.0.bias\), 1 unknown \(x\)"):
        load_published_state(
            model,
            {k: v for k, v in state.items() if k != "feature_fusion.0.bias"}
            | {"x": torch.zeros(1)},
        )
    with pytest.raises(EosfmError, match=r"0 missing \(\), 1 unknown \(x\)"):
        load_published_state(model, state | {"x": torch.zeros(1)})
    with pytest.raises(EosfmError, match=r"feature_fusion\.0\.bias has shape"):
        load_published_state(model, state | {"feature_fusion.0.bias": torch.zeros(1)})
