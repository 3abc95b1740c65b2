"""Fusing in general: gates, selection, stored pyramids, files of earlier versions."""

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.fusion.fuser import Fuser
from eosfm.fusion.normalizers import PixelNorm
from tests.fusion.base import CHANNELS, INPUTS, pyramids, same


def test_once_settled_the_others_are_not_asked_for():
    fuser = Fuser(INPUTS, fusion="conv1x1", max_encoders=1)
    assert len(fuser.needed()) == 5
    fuser.selection.active[:3] = False
    assert fuser.train().needed() == [4]
    alone = fuser([None, None, None, None, pyramids()[4]])
    for one, two in zip(alone, fuser(pyramids()), strict=True):
        assert torch.equal(one, two)


def test_several_processes_train_on_once_settled(tmp_path):
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    distributed.init_process_group("gloo", f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        for unused in (True, False):
            fuser = Fuser(INPUTS, fusion="conv1x1", max_encoders=1).train()
            shared = DistributedDataParallel(fuser, find_unused_parameters=unused)
            sum(level.sum() for level in shared(pyramids())).backward()
            fuser.selection.settle()
            sum(level.sum() for level in shared(pyramids())).backward()
            if unused:
                sum(level.sum() for level in shared(pyramids())).backward()
        with pytest.raises(RuntimeError, match="find_unused_parameters=True"):
            shared(pyramids())
    finally:
        distributed.destroy_process_group()


def test_averaged_weights_have_the_selection_as_it_is():
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    fuser = Fuser(INPUTS, fusion="conv1x1", max_encoders=1).train()
    average = AveragedModel(fuser, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=False)
    for _ in range(3):
        sum(level.square().sum() for level in fuser(pyramids())).backward()
        average.update_parameters(fuser)
    fuser.selection.settle()
    average.update_parameters(fuser)
    assert average.module.selection.settled and average.module.selected == fuser.selected


def test_two_pyramids_of_a_specialist_share_gate_normaliser_and_projection():
    assert Fuser(INPUTS, max_encoders=1).selection.count == 4
    fuser = Fuser(INPUTS, fusion="concat", normalize="batch", projection=True)
    assert len(fuser.norms) == len(fuser.projections) == 4
    fuser.train()(pyramids())
    assert [int(norms[0].num_batches_tracked) for norms in fuser.norms] == [1, 2, 1, 1]


def test_too_few_or_too_many_encoders_asked_for():
    for count in (0, 5):
        line = f"max_encoders is {count}, but 4 specialists are fed"
        with pytest.raises(EosfmError, match=line):
            Fuser(INPUTS, max_encoders=count)
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


def test_pruned_where_all_specialists_are_kept_can_be_saved():
    fuser = Fuser(INPUTS, fusion="addition", max_encoders=4, scale_features=True).eval()
    torch.nn.init.normal_(fuser.selection.scale)
    small = fuser.prune()
    again = Fuser.from_settings(small.settings()).eval()
    again.load_state_dict(small.state_dict())
    same(again(pyramids()), fuser(pyramids()))


def test_gates_that_are_not_settled_are_pruned_as_they_stand():
    fuser = Fuser(INPUTS, max_encoders=2, selection="smooth").eval()
    fuser.selection.level.copy_(torch.linspace(1, 0.4, 4))
    fuser.selection.importance.copy_(torch.linspace(3, 0, 4))
    chosen = [place for place, spec in enumerate(INPUTS) if spec.name in fuser.selected]
    assert len(fuser.selected) == 2
    given = pyramids()
    same(fuser.prune().eval()([given[place] for place in chosen]), fuser(given))


def test_pruned_has_weights_of_its_own():
    fuser = Fuser(INPUTS, max_encoders=2).eval()
    small = fuser.prune()
    expected = [level.clone() for level in small(pyramids(len(small.inputs)))]
    with torch.no_grad():
        for weight in fuser.parameters():
            weight.zero_()
    same(small(pyramids(len(small.inputs))), expected)


@pytest.mark.parametrize("fusion", ["concat", "conv1x1"])
def test_settings_and_weights_of_a_pruned_one(fusion):
    """As files hold them, with a result worked out by hand."""
    inputs = [
        {"name": name, "channels": [4, 6], "index": i, "rule": "exact", "sources": ["B04"],
         "channel_map": [0], "note": ""}
        for i, name in enumerate("abc")
    ]  # fmt: skip
    options = {"fusion": fusion, "width_multiplier": 1.0, "normalize": "pixel", "projection": True,
               "max_encoders": 2, "selection": "topk", "scale_features": False}  # fmt: skip
    fuser = Fuser.from_settings({"inputs": inputs, "kept": [0, 2], **options}).eval()
    assert fuser.names == ["a", "c"]
    assert (fuser.inputs[1].sources, fuser.inputs[1].channel_map) == (("B04",), (0,))
    weights = {"gates": torch.tensor([1.0, 1.0])}
    for column in range(2):
        for level, width in enumerate((4, 6)):
            norm, project = f"norms.{column}.{level}", f"projections.{column}.{level}.0"
            weights |= {f"{norm}.weight": torch.ones(width), f"{norm}.bias": torch.zeros(width)}
            weights |= {f"{project}.weight": torch.eye(width)[..., None, None],
                        f"{project}.bias": torch.ones(width)}  # fmt: skip
    if fusion == "conv1x1":
        for level, width in enumerate((4, 6)):
            both = torch.cat([torch.eye(width), torch.eye(width)], dim=1)
            weights |= {f"mixers.{level}.weight": both[..., None, None],
                        f"mixers.{level}.bias": torch.zeros(width)}  # fmt: skip
    fuser.load_state_dict(weights)
    given = pyramids(2)
    for level, fused in enumerate(fuser(given)):
        normal = [PixelNorm(CHANNELS[level])(pyramid[level]) for pyramid in given]
        a, c = (torch.nn.functional.leaky_relu(values + 1) for values in normal)
        zeros = torch.zeros_like(a)
        expected = a + c if fusion == "conv1x1" else torch.cat([a, zeros, c], dim=1)
        torch.testing.assert_close(fused, expected)
