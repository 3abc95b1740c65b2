import itertools
import warnings

import pytest
import torch
from torch import nn

from eosfm.core.bands import S2_BANDS
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import save_artifact
from eosfm.encoding.encoder import build_encoder
from eosfm.encoding.randomize import randomize
from eosfm.fusion import FUSIONS
from eosfm.model import EosFM

pytestmark = pytest.mark.filterwarnings("ignore:skipped", "ignore:bands of")
STRIDES = (4, 8, 16, 32)


@pytest.fixture(scope="module")
def few(mixed):
    return [specialist for specialist in mixed if specialist.name in ("rgb", "s2", "nrg", "s1")]


def sizes(maps):
    return [tuple(level.shape) for level in maps]


def expected_sizes(channels, batch, height, width):
    return [(batch, c, -(-height // s), -(-width // s)) for c, s in zip(channels, STRIDES,
                                                                        strict=True)]  # fmt: skip


@pytest.mark.parametrize(
    ("fusion", "adaptation", "keep"),
    itertools.product(FUSIONS, ("named", "counted"), (None, 2)),
)
def test_contract(few, fusion, adaptation, keep, tmp_path):
    torch.manual_seed(0)
    options = {"fusion": fusion, "adaptation": adaptation, "max_encoders": keep}
    backbone = EosFM.from_specialists(few[:3], bands=S2_BANDS, **options)
    x = torch.randn(2, 13, 34, 33)

    maps = backbone.train()(x)
    assert sizes(maps) == expected_sizes(backbone.out_channels, 2, 34, 33)
    if any(level.requires_grad for level in maps):
        sum((level * level.detach().cos()).sum() for level in maps).backward()
    assert all(p.grad is None for p in backbone.encoder.models.parameters())
    assert all(p.grad is not None for p in backbone.fuser.mixers.parameters())

    with torch.no_grad():
        whole = backbone.eval()(x)
        assert sizes(whole) == sizes(maps)
        for one, two in zip(whole, backbone.fuse(backbone.encode(x)), strict=True):
            torch.testing.assert_close(one, two)
        small = backbone.prune()
        assert small.selected == backbone.selected
        assert {spec.name for spec in small.inputs} == set(backbone.selected)
        assert len(small.encoder.models) == len(backbone.selected)
        small.save(tmp_path / "small.pth")
        again = EosFM.load(tmp_path / "small.pth").eval()
        for one, two, three in zip(whole, small(x), again(x), strict=True):
            torch.testing.assert_close(one, two)
            assert torch.equal(two, three)


def test_state_dict_round_trip(few):
    options = {"in_chans": 13, "max_encoders": 2, "projection": True, "normalize": "batch"}
    backbone = EosFM.from_specialists(few, **options).train()
    x = torch.randn(2, 13, 32, 32)
    backbone(x)[0].sum().backward()
    twin = EosFM.from_specialists(randomize(few, 1), **options)
    twin.load_state_dict(backbone.state_dict())
    expected = backbone.eval()(x)
    assert all(torch.equal(a, b) for a, b in zip(twin.eval()(x), expected, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (31, 32), (64, 64), (65, 100)])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("normalize", ["layer", "batch"])
def test_sizes_and_batch_of_one(few, size, batch, normalize):
    backbone = EosFM.from_specialists(few, in_chans=13, normalize=normalize)
    x = torch.randn(batch, 13, *size)
    for mode in (True, False):
        maps = backbone.train(mode)(x)
        assert sizes(maps) == expected_sizes(backbone.out_channels, batch, *size)
        assert all(torch.isfinite(level).all() for level in maps)


def test_frozen_whatever_happens(few):
    x = torch.randn(2, 13, 32, 32)
    backbone = EosFM.from_specialists(few, in_chans=13).train()
    before = {key: value.clone() for key, value in backbone.encoder.models.state_dict().items()}
    assert not any(module.training for module in backbone.encoder.models.modules())
    optimizer = torch.optim.AdamW(backbone.parameters(), 0.1)
    backbone(x)[0].sum().backward()
    optimizer.step()
    after = backbone.encoder.models.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(level.requires_grad for pyramid in backbone.encode(x) for level in pyramid)


def test_thawed_encoders_learn(few):
    backbone = EosFM.from_specialists(few, in_chans=13, freeze=False).train()
    assert all(module.training for module in backbone.encoder.models.modules())
    sum(level.square().mean() for level in backbone(torch.randn(2, 13, 32, 32))).backward()
    assert all(p.grad is not None for p in backbone.encoder.models.parameters())


def test_evaluation_runs_only_the_selected(few, monkeypatch):
    backbone = EosFM.from_specialists(few, in_chans=13, max_encoders=1)
    ran = []
    original = backbone.encoder.models.forward

    def forward(inputs):
        ran.append({backbone.specialists[index].name for index, _ in inputs})
        return original(inputs)

    monkeypatch.setattr(backbone.encoder.models, "forward", forward)
    x = torch.randn(1, 13, 32, 32)
    backbone.train()(x)
    backbone.eval()(x)
    assert ran == [{"rgb", "s2", "nrg", "s1"}, set(backbone.selected)]


def test_selection_knows_only_what_is_fed(mixed):
    """Asking for more than can be fed fails at once, and a skipped one is never chosen."""
    backbone = EosFM.from_specialists(mixed, bands=["vv", "vh"], max_encoders=1).eval()
    assert set(backbone.selected).isdisjoint(backbone.skipped)
    assert all(level.abs().sum() > 0 for level in backbone(torch.randn(1, 2, 32, 32)))
    with pytest.raises(EosfmError, match="max_encoders is 8, but"):
        EosFM.from_specialists(mixed, bands=["vv", "vh"], max_encoders=8)


def test_ablation_drops_a_specialist(mixed):
    by_name = EosFM.from_specialists(mixed, in_chans=13, ablate=["s2", "rgb"], fusion="concat")
    by_index = EosFM.from_specialists(mixed, in_chans=13, ablate=[1, 0], fusion="concat")
    rest = EosFM.from_specialists(mixed[2:], in_chans=13, fusion="concat")
    assert by_name.out_channels == by_index.out_channels == rest.out_channels
    assert by_name.state_dict().keys() == rest.state_dict().keys()
    x = torch.randn(1, 13, 32, 32)
    for levels in zip(by_name(x), by_index(x), rest(x), strict=True):
        torch.testing.assert_close(levels[0], levels[2])
        torch.testing.assert_close(levels[1], levels[2])
    assert by_name.inputs[0].index == 2


@pytest.mark.parametrize(
    "bands",
    [("vv", "vh", *S2_BANDS), ("B02", "B03", "B04", "B8A", "B11", "B12"), ("B08",), ("sar",)],
)
def test_any_number_of_channels(mixed, bands):
    backbone = EosFM.from_specialists(mixed, bands=bands)
    maps = backbone(torch.randn(1, len(bands), 32, 32))
    assert sizes(maps) == expected_sizes(backbone.out_channels, 1, 32, 32)


def test_feature_info_as_timm_has_it(few):
    backbone = EosFM.from_specialists(few, in_chans=13, width_multiplier=2)
    assert backbone.feature_info.channels() == backbone.out_channels == [16, 24, 32, 48]
    assert backbone.feature_info.reduction() == [4, 8, 16, 32]
    assert backbone.feature_info[1]["num_chs"] == 24
    assert len(backbone.feature_info) == len(backbone.feature_info.get_dicts()) == 4


def test_specialists_whose_pyramids_differ(make_specialist):
    pair = [make_specialist("a", ("red", "green", "blue")),
            make_specialist("b", ("red", "green", "blue"), backbone="widenext")]  # fmt: skip
    x = torch.randn(1, 3, 32, 32)
    for fusion in ("concat", "conv1x1", "mlp"):
        assert len(EosFM.from_specialists(pair, in_chans=3, fusion=fusion)(x)) == 4
    with pytest.raises(EosfmError, match="set projection to true"):
        EosFM.from_specialists(pair, in_chans=3, fusion="addition")


def test_autocast(few):
    backbone = EosFM.from_specialists(few, in_chans=13).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = backbone(torch.randn(1, 13, 32, 32))
    assert all(torch.isfinite(level).all() for level in maps)


def test_a_saved_backbone_is_an_artifact_and_an_artifact_no_backbone(few, tmp_path):
    backbone = EosFM.from_specialists(few, in_chans=13, max_encoders=2).prune()
    backbone.save(tmp_path / "small.pth")
    with pytest.warns(UserWarning, match=r"fusion that .*small.pth holds is left out; EosFM.load"):
        fresh = EosFM.from_artifact(tmp_path / "small.pth", in_chans=13)
    assert {spec.name for spec in fresh.inputs} == set(backbone.selected)
    save_artifact(tmp_path / "a.pth", few)
    with pytest.raises(EosfmError, match="no fusion; open it with"):
        EosFM.load(tmp_path / "a.pth")


def test_example(mixed, tmp_path):
    """Ten lines from an artifact to a trained head."""
    save_artifact(tmp_path / "eosfm.pth", mixed)
    path = tmp_path / "eosfm.pth"
    images, labels = torch.randn(8, 4, 64, 64), torch.arange(8) % 2
    images[labels == 1] += 1

    backbone = EosFM.from_artifact(path, bands=["B02", "B03", "B04", "B08"], max_encoders=2)
    head = nn.Linear(backbone.out_channels[-1], 2)
    pyramids = backbone.encode(images)  # once: the encoders are frozen
    optimizer = torch.optim.AdamW([*backbone.fuser.parameters(), *head.parameters()], lr=1e-2)
    for _ in range(60):
        logits = head(backbone.fuse(pyramids)[-1].mean(dim=(2, 3)))
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()
    small = backbone.eval().prune()

    assert len(small.selected) == 2
    logits = head(small(images)[-1].mean(dim=(2, 3)))
    assert (logits.argmax(1) == labels).float().mean() == 1


def test_decoder_of_segmentation_models(few):
    upernet = pytest.importorskip("segmentation_models_pytorch.decoders.upernet.decoder")
    backbone = EosFM.from_specialists(few, in_chans=13).eval()
    x = torch.randn(2, 13, 64, 64)
    decoder = upernet.UPerNetDecoder([13, 0, *backbone.out_channels], encoder_depth=5)
    maps = [x, x.new_zeros(2, 0, 32, 32), *backbone(x)]
    assert decoder.eval()(maps).shape[-2:] == (16, 16)


def test_statistics_are_saved_with_the_backbone(make_specialist, tmp_path):
    unit = "reflectance_1e4"
    known = make_specialist("rgb", ("B04", "B03", "B02"), units=(unit,) * 3,
                            mean=(300.0, 200.0, 100.0), std=(30.0, 20.0, 10.0))  # fmt: skip
    bands = ["B02", "B03", "B04"]
    backbone = EosFM.from_specialists([known], bands, standardize="specialist", units=unit).eval()
    backbone.save(tmp_path / "b.pth")
    x = 50 * torch.randn(1, 3, 32, 32) + 200
    again = EosFM.load(tmp_path / "b.pth").eval()
    assert all(torch.equal(a, b) for a, b in zip(backbone(x), again(x), strict=True))
    assert again.explain() == backbone.explain()


@pytest.mark.parametrize(
    "way",
    [
        {"standardize": "specialist", "units": "reflectance_1e4"},
        {"mean": [300.0, 200.0, 100.0], "std": [30.0, 20.0, 10.0]},
    ],
)
def test_values_of_another_unit_are_told_once(make_specialist, way):
    known = make_specialist("rgb", ("B04", "B03", "B02"), units=("reflectance_1e4",) * 3,
                            mean=(300.0, 200.0, 100.0), std=(30.0, 20.0, 10.0))  # fmt: skip
    x = 30 * torch.randn(1, 3, 32, 32) + 200
    for scale, told in ((1.0, 0), (1e-4, 1), (255.0, 1)):
        backbone = EosFM.from_specialists([known], ["B04", "B03", "B02"], **way).eval()
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for _ in range(2):
                backbone(scale * x)
        said = [str(one.message) for one in found if "check the unit" in str(one.message)]
        assert len(said) == told


def test_values_that_are_not_standardised_are_told_once(make_specialist):
    known = make_specialist("rgb", ("B04", "B03", "B02"))
    x = torch.randn(1, 3, 32, 32)
    for shift, told in ((0.0, 0), (5.0, 0), (1500.0, 1)):
        backbone = EosFM.from_specialists([known], ["B04", "B03", "B02"]).eval()
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for _ in range(2):
                backbone(x + shift)
        said = [str(one.message) for one in found]
        assert sum("where about 0 is expected" in line for line in said) == told


def test_values_from_0_to_1_are_told_where_none_are_standardised(make_specialist):
    known = make_specialist("rgb", ("B04", "B03", "B02"))
    x = torch.linspace(0, 1, 3 * 32 * 32).view(1, 3, 32, 32)
    backbone = EosFM.from_specialists([known], ["B04", "B03", "B02"]).eval()
    with pytest.warns(UserWarning, match="bands have no value outside 0 to 1 where"):
        backbone(x)
    for given in (x - 0.1, x + 0.1, torch.zeros_like(x)):  # some are outside, or all one
        backbone = EosFM.from_specialists([known], ["B04", "B03", "B02"]).eval()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            backbone(given)


def test_warnings_name_the_line_of_the_caller(few, tmp_path):
    save_artifact(tmp_path / "a.pth", few)
    ways = (
        lambda: EosFM.from_specialists(few, ["vv", "vh"]),
        lambda: EosFM.from_artifact(tmp_path / "a.pth", ["vv", "vh"]),
        lambda: build_encoder(few, ["vv", "vh"]),
        lambda: EosFM.from_specialists(few, in_chans=2, adaptation="named"),
        lambda: EosFM.from_specialists(few, ["vv", "vh"])(torch.full((1, 2, 32, 32), 1e4)),
    )
    for way, told in zip(ways, (1, 1, 1, 2, 2), strict=True):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            way()
        lines = [(one.filename, one.lineno) for one in found]
        assert lines == [(__file__, way.__code__.co_firstlineno)] * told


def test_halves_that_do_not_fit(few):
    first, second = (EosFM.from_specialists(few[i : i + 2], in_chans=13) for i in (0, 1))
    with pytest.raises(EosfmError, match=r"build it with Fuser\(encoder\.inputs\)"):
        EosFM(first.encoder, second.fuser)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_encoders": 0}, "max_encoders is 0, but"),
        ({"max_encoders": -1}, "max_encoders is -1, but"),
        ({"max_encoders": 1.5}, "expected a whole number or None"),
        ({"max_encoders": True}, "expected a whole number or None"),
        ({"width_multiplier": 0}, "a number above 0"),
        ({"width_multiplier": float("nan")}, "a number above 0"),
        ({"width_multiplier": 1e9}, "at most 64"),
        ({"width_multiplier": "a"}, "a number above 0"),
        ({"fusion": None}, "fusion is None; valid: concat"),
        ({"fusion": ["concat"]}, "valid: concat"),
        ({"projection": "no"}, "expected True or False"),
        ({"freeze": "no"}, "expected True or False"),
        ({"max_encodrs": 1}, "unknown option 'max_encodrs'; did you mean 'max_encoders'"),
        ({"mean": [1] * 3}, "only one of mean and std"),
        ({"mean": [1] * 3, "std": [0] * 3}, "expected numbers above 0"),
        ({"mean": [1] * 3, "std": [float("inf")] * 3}, "expected finite numbers"),
        ({"mean": "abc", "std": [1] * 3}, "mean is 'abc'; expected numbers"),
        ({"mean": 3, "std": 3}, "mean is 3; expected numbers"),
        ({"ablate": None}, "expected a list of names or indices"),
        ({"ablate": "rgb"}, "expected a list of names or indices"),
        ({"ablate": [-1]}, "ablate names -1; valid: rgb"),
        ({"standardize": None}, "standardize is None; valid: dataset, specialist"),
        ({"adaptation": 3}, "adaptation is 3; valid: named, counted"),
        ({"units": 3}, "units is 3; expected a list of names"),
        ({"units": "reflectance"}, "unknown unit 'reflectance'; did you mean 'reflectance_1e4'"),
        ({"bands": "red"}, "bands is 'red'; expected a list of names"),
        ({"bands": [1, 2]}, "expected a list of names"),
        ({"bands": None, "in_chans": -3}, "has -3 channels; expected a whole number, 1 to 4096"),
        ({"bands": None, "in_chans": "3"}, "has '3' channels; expected a whole number, 1 to 4096"),
        ({"bands": None, "in_chans": 10**9}, "has 1000000000 channels; expected a whole number, 1"),
        ({"bands": None, "in_chans": 2.0}, "has 2.0 channels; expected a whole number, 1 to 4096"),
    ],
)
def test_an_option_that_does_not_fit_is_one_line(mixed, options, message):
    with pytest.raises(EosfmError) as error:
        EosFM.from_specialists(mixed, **{"bands": ["red", "green", "blue"], **options})
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda x: x.double(), "input is torch.float64, expected torch.float32"),
        (lambda x: x.half(), "input is torch.float16, expected torch.float32"),
        (lambda x: x.long(), "input is torch.int64, expected torch.float32"),
        (lambda x: x[0], r"input has shape \(3, 32, 32\), expected \(batch, 3, height, width\)"),
        (lambda x: x[:0], r"input has shape \(0, 3, 32, 32\), which holds no pixel; give"),
    ],
)
def test_an_input_that_does_not_fit_is_one_line(mixed, given, message):
    backbone = EosFM.from_specialists(mixed, in_chans=3)
    with pytest.raises(EosfmError, match=message):
        backbone(given(torch.randn(1, 3, 32, 32)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -3.4e38])
@pytest.mark.parametrize("known", [{}, {"mean": [5.0] * 3, "std": [2.0] * 3}])
def test_a_pixel_that_was_not_measured_counts_as_its_bands_mean(mixed, value, known):
    backbone = EosFM.from_specialists(mixed, ["red", "green", "blue"], **known).eval()
    x = torch.randn(1, 3, 64, 64)
    x[0, 1, 5, 7] = 5.0 if known else 0.0
    expected = backbone(x)
    x[0, 1, 5, 7] = value
    for one, other in zip(backbone(x), expected, strict=True):
        assert torch.equal(one, other)
