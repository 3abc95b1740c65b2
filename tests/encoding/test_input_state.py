"""State dicts know what their weights were fed with."""

import warnings
from dataclasses import replace

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.encoding.encoder import build_encoder

RGB = ["B04", "B03", "B02"]
pytestmark = pytest.mark.filterwarnings("ignore:skipped", "ignore:bands of")


@pytest.fixture(scope="module")
def few(mixed):
    return [specialist for specialist in mixed if specialist.name in ("rgb", "nrg")]


def test_a_state_dict_passes_through_a_file_to_a_like_encoder(few, tmp_path):
    given = build_encoder(few, RGB, mean=[1.0, 2.0, 3.0], std=[1.0, 1.0, 2.0])
    torch.save(given.state_dict(), tmp_path / "state.pt")
    twin = build_encoder(few, RGB, mean=[1.0, 2.0, 3.0], std=[1.0, 1.0, 2.0])
    for weight in twin.parameters():
        weight.zero_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twin.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    x = torch.randn(1, 3, 32, 32)
    for one, other in zip(given.encode(x)[0], twin.encode(x)[0], strict=True):
        assert torch.equal(one, other)


def test_bands_in_another_order_are_refused(few):
    state = build_encoder(few, RGB).state_dict()
    line = r"with channels \('B04', 'B03', 'B02'\), this one has \('B02', 'B03', 'B04'\)"
    with pytest.raises(EosfmError, match=line):
        build_encoder(few, RGB[::-1]).load_state_dict(state)


def test_channels_by_number_are_compared_too(few):
    state = build_encoder(few, in_chans=3).state_dict()
    with pytest.raises(EosfmError, match="is of a backbone with channels 3, this one has 4"):
        build_encoder(few, in_chans=4).load_state_dict(state)


def test_physical_values_are_no_standardised_ones(few):
    unit = "reflectance_1e4"
    known = [replace(few[0], mean=(1.0,) * 3, std=(2.0,) * 3, units=(unit,) * 3)]
    state = build_encoder(known, RGB, standardize="specialist", units=unit).state_dict()
    with pytest.raises(EosfmError, match="standardize 'specialist', this one has 'dataset'"):
        build_encoder(known, RGB).load_state_dict(state)


def test_weights_do_not_go_to_another_specialist(few):
    rgb, nrg = (build_encoder(few, RGB, ablate=[name]) for name in ("nrg", "rgb"))
    with pytest.raises(EosfmError, match="feeds nrg, rgb in another way or order, or not at all"):
        nrg.load_state_dict(rgb.state_dict())
    with pytest.raises(EosfmError, match="feeds specialists in another way or order"):
        build_encoder(few[::-1], RGB).load_state_dict(build_encoder(few, RGB).state_dict())


def test_other_statistics_are_a_warning(few):
    state = build_encoder(few, RGB, mean=[1.0, 2.0, 3.0], std=[1.0, 1.0, 2.0]).state_dict()
    other = build_encoder(few, RGB, mean=[1.0, 2.0, 4.0], std=[1.0, 1.0, 2.0])
    with pytest.warns(UserWarning, match="is of a backbone with another mean and std than this"):
        other.load_state_dict(state)


@pytest.mark.parametrize("broken", [torch.zeros(3), torch.tensor([123, 125]), {"bands": RGB}])
def test_a_description_that_was_averaged_away(few, broken):
    encoder = build_encoder(few, RGB)
    state = {**encoder.state_dict(), "_extra_state": broken}
    with pytest.raises(EosfmError, match="where it describes its input; save it again"):
        encoder.load_state_dict(state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_an_average_of_state_dicts_is_loaded(few, dtype):
    """And one in half precision, as tools that handle all tensors of a file alike write them."""
    states = [build_encoder(few, RGB).state_dict() for _ in range(3)]
    average = {key: sum(state[key].to(dtype) / 3 for state in states) for key in states[0]}
    build_encoder(few, RGB).load_state_dict(average)
    with pytest.raises(EosfmError, match="this one has"):
        build_encoder(few, RGB[::-1]).load_state_dict(average)
    average["_extra_state"] = average["_extra_state"] * torch.inf
    with pytest.raises(EosfmError, match="save it again"):
        build_encoder(few, RGB).load_state_dict(average)
