"""The frozen half alone: plan, padding, scaling, what is held."""

import pytest
import torch
from torch import nn

from eosfm.core.bands import S2_BANDS
from eosfm.core.closure import ROOT, closure
from eosfm.core.errors import EosfmError
from eosfm.encoding.encoder import build_encoder

pytestmark = pytest.mark.filterwarnings("ignore:skipped", "ignore:bands of")


@pytest.fixture(scope="module")
def few(mixed):
    return [specialist for specialist in mixed if specialist.name in ("rgb", "s2", "nrg", "s1")]


def test_padding_repeats_the_edge(few):
    encoder = build_encoder(few, in_chans=13)
    x = torch.randn(1, 13, 50, 64)
    padded = nn.functional.pad(x, (0, 0, 0, 14), mode="replicate")
    for small, large in zip(encoder.encode(x)[0], encoder.encode(padded)[0], strict=True):
        torch.testing.assert_close(small, large[:, :, : small.shape[2]])


def test_weights_are_shared_only_if_asked(few):
    def first(encoder):
        return next(iter(encoder.models[0].parameters()))

    def is_held(weight):
        return any(weight.data_ptr() == value.data_ptr() for value in few[0].state_dict.values())

    assert is_held(first(build_encoder(few[:1], bands=S2_BANDS, copy=False)))
    encoder = build_encoder(few[:1], bands=S2_BANDS, freeze=False)
    assert not is_held(first(encoder))
    assert first(encoder.keep(["rgb"])).data_ptr() != first(encoder).data_ptr()


def test_only_what_is_fed_is_held(mixed):
    encoder = build_encoder(mixed, bands=["red", "green", "blue"])
    assert "s1" in encoder.skipped
    assert len(encoder.models) == len(mixed) - len(encoder.skipped)
    held = {spec.name for spec in encoder.inputs}
    assert {specialist.name for specialist in encoder.specialists} == held
    assert held.isdisjoint(encoder.skipped)


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        ((1, 12, 32, 32), r"expected \(batch, 13, height, width\)"),
        ((13, 32, 32), r"expected \(batch, 13, height, width\)"),
        ((1, 2, 13, 32, 32), r"expected \(batch, 13, height, width\)"),
        ((1, 13, 0, 32), r"has shape \(1, 13, 0, 32\), which holds no pixel"),
        ((0, 13, 32, 32), "which holds no pixel"),
    ],
)
def test_another_shape_than_announced(few, shape, line):
    with pytest.raises(EosfmError, match=line):
        build_encoder(few, bands=S2_BANDS).encode(torch.zeros(shape))


def test_integers_are_refused(few):
    with pytest.raises(EosfmError, match=r"torch\.uint8, expected torch\.float32"):
        build_encoder(few, in_chans=13).encode(torch.zeros(1, 13, 32, 32, dtype=torch.uint8))


def test_band_order_does_not_matter(mixed):
    """The same scene in EuroSAT's order (B8A last) and in Sentinel-2's gives the same maps."""
    eurosat = (*(name for name in S2_BANDS if name != "B8A"), "B8A")
    x = torch.randn(1, 13, 32, 32)
    y = x[:, [S2_BANDS.index(name) for name in eurosat]]
    first, second = build_encoder(mixed, bands=S2_BANDS), build_encoder(mixed, bands=eurosat)
    torch.testing.assert_close(first.encode(x), second.encode(y), rtol=0, atol=0)


def test_missing_radar_is_fed_its_mean(mixed):
    encoder = build_encoder(mixed, bands=S2_BANDS)
    index = next(i for i, spec in enumerate(encoder.inputs) if spec.name == "every")
    x = torch.randn(1, 13, 32, 32)
    full = build_encoder(mixed, bands=("vv", "vh", *S2_BANDS))
    expected = full.encode(torch.cat([torch.zeros(1, 2, 32, 32), x], dim=1))
    full_index = next(i for i, spec in enumerate(full.inputs) if spec.name == "every")
    torch.testing.assert_close(encoder.encode(x)[index], expected[full_index])


def test_neither_bands_nor_channels(few):
    with pytest.raises(EosfmError, match="neither bands nor in_chans"):
        build_encoder(few)


def test_explain_names_everyone(mixed):
    encoder = build_encoder(mixed, bands=["red", "green", "blue"])
    lines = encoder.explain().splitlines()
    assert lines[0].split()[0] == "specialist"
    assert [line.split()[0] for line in lines[2:] if not line.startswith(" ")] == [
        *(spec.name for spec in encoder.inputs), *encoder.skipped,
    ]  # fmt: skip
    assert "nir from red (180 nm off)" in encoder.explain()


def test_explain_goes_on_below_where_much_is_to_be_said(mixed):
    encoder = build_encoder(mixed, bands=["B02", "B03", "B04", "B08"])
    said = encoder.explain()
    assert max(map(len, said.splitlines())) <= 120
    together = " ".join(said.split())
    assert all(spec.note in together for spec in encoder.inputs)
    assert any(line.startswith(" ") for line in said.splitlines())


def test_backbone_with_batch_normalisation(make_specialist):
    """Building and running leaves a backbone's own statistics alone."""
    specialist = make_specialist("bn", ("red", "green", "blue"), backbone="starnet_s1")
    before = {key: value.clone() for key, value in specialist.state_dict.items()}
    encoder = build_encoder([specialist], in_chans=3).train()
    encoder.encode(torch.randn(1, 3, 32, 32))
    after = encoder.models[0].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_some_inputs_alone(mixed):
    encoder = build_encoder(mixed, in_chans=13)
    x = torch.randn(1, 13, 32, 32)
    every = encoder.encode(x)
    torch.testing.assert_close(encoder.encode(x, [3, 0]), [every[3], every[0]])
    assert encoder.encode(x, []) == []


def test_some_specialists_alone(mixed):
    encoder = build_encoder(mixed, in_chans=13).eval()
    small = encoder.keep(["rgb", "s2"])
    assert [specialist.name for specialist in small.specialists] == ["rgb", "s2"]
    indices = [i for i, spec in enumerate(encoder.inputs) if spec.name in ("rgb", "s2")]
    assert small.inputs == tuple(encoder.inputs[i] for i in indices)
    x = torch.randn(1, 13, 32, 32)
    torch.testing.assert_close(small.encode(x), encoder.encode(x, indices))
    halved = encoder.to(torch.bfloat16).keep(["rgb"]).encode(x.bfloat16())
    assert halved[0][0].dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("ablate", "message"),
    [
        (["s3"], "ablate names 's3'; .*valid: rgb, s2"),
        ([8], "ablate names 8; valid: rgb, s2"),
        (range(8), "leaves no specialist"),
    ],
)
def test_ablation_that_cannot_be(mixed, ablate, message):
    with pytest.raises(EosfmError, match=message):
        build_encoder(mixed, in_chans=13, ablate=ablate)


def test_a_change_of_fusion_encodes_nothing_anew():
    files = closure(ROOT / "eosfm" / "encoding" / "encoder.py")
    assert {file.relative_to(ROOT).parts[1] for file in files} == {"core", "encoding", "nn"}


def test_training_needs_nothing_of_this_room():
    room = ROOT / "eosfm" / "encoding"
    assert not [file for file in closure(ROOT / "stages/train.py") if file.is_relative_to(room)]


class TestStandardize:
    UNITS = "reflectance_1e4"

    @pytest.fixture
    def known(self, make_specialist):
        return [
            make_specialist("rgb", ("B04", "B03", "B02"), units=(self.UNITS,) * 3,
                            mean=(300.0, 200.0, 100.0), std=(30.0, 20.0, 10.0)),
            make_specialist("duo", ("vv", "B08"), units=("db", self.UNITS),
                            mean=(-10.0, 3000.0), std=(2.0, 500.0)),
        ]  # fmt: skip

    def test_own_statistics_given_or_applied_before(self, known):
        mean, std = [100.0, 200.0, 300.0], [10.0, 20.0, 30.0]
        bands = ["blue", "green", "red"]
        x = 50 * torch.randn(1, 3, 32, 32) + 200
        scaled = (x - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
        inside = build_encoder(known, bands=bands, mean=mean, std=std).encode(x)
        before = build_encoder(known, bands=bands).encode(scaled)
        torch.testing.assert_close(inside, before)

    def test_specialists_apply_theirs(self, known):
        bands = ["B02", "B03", "B04", "B08"]
        encoder = build_encoder(known, bands=bands, standardize="specialist", units=self.UNITS)
        x = 50 * torch.randn(1, 4, 32, 32) + 200
        rgb = (x[:, [2, 1, 0]] - torch.tensor([300.0, 200.0, 100.0]).view(-1, 1, 1)) / torch.tensor(
            [30.0, 20.0, 10.0]
        ).view(-1, 1, 1)
        duo = torch.cat([torch.zeros(1, 1, 32, 32), (x[:, 3:] - 3000) / 500], dim=1)
        torch.testing.assert_close(encoder.encode(x), encoder.models([(0, rgb), (1, duo)]))

    def test_numbers_of_another_type_are_refused(self, known):
        encoder = build_encoder(known, bands=["red", "green", "blue"])
        message = "input is torch.float64, expected torch.float32; convert"
        with pytest.raises(EosfmError, match=message):
            encoder.encode(torch.zeros(1, 3, 32, 32, dtype=torch.float64))

    def test_units_must_agree(self, known):
        with pytest.raises(
            EosfmError, match="cannot scale for rgb: trained on reflectance_1e4, fed with dn8"
        ):
            build_encoder(
                known, bands=["red", "green", "blue"], standardize="specialist", units="dn8"
            )

    def test_statistics_must_be_there(self, make_specialist):
        # With its only specialist left out, nothing would remain.
        message = "new: its statistics are not in the artifact; use standardize='dataset'$"
        with pytest.raises(EosfmError, match=message):
            build_encoder([make_specialist("new", ("vv", "vh"))], bands=["vv", "vh"],
                  standardize="specialist", units="db")  # fmt: skip

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"standardize": "specialist"}, "needs the input's units"),
            ({"standardize": "specialist", "mean": [0], "std": [1]}, "leave them out"),
            ({"mean": [0.0] * 3}, "only one of mean and std"),
            ({"mean": [0.0] * 2, "std": [1.0] * 2}, "2 values of mean for 3 channels"),
            ({"mean": [0.0] * 3, "std": [1.0, 0.0, 1.0]}, "expected numbers above 0"),
            ({"standardize": "both"}, "standardize is 'both'; valid: dataset, specialist"),
            ({"adaptation": "magic"}, "adaptation is 'magic'"),
            ({"in_chans": 4}, "3 values of bands for 4 channels"),
        ],
    )
    def test_contradictions(self, known, options, message):
        with pytest.raises(EosfmError, match=message):
            build_encoder(known, bands=["red", "green", "blue"], **options)


@pytest.mark.parametrize("freeze", [True, False])
def test_what_is_kept_learns_as_it_did(few, freeze):
    encoder = build_encoder(few, bands=S2_BANDS, freeze=freeze)
    single = dict(encoder.models[1].named_parameters())["stem_0.weight"]
    single.requires_grad_(freeze)
    kept = encoder.keep([encoder.specialists[1].name])
    learning = [name for name, weight in kept.models[0].named_parameters() if weight.requires_grad]
    assert ("stem_0.weight" in learning) == freeze and (len(learning) == 1) == freeze
    with torch.inference_mode():
        encoder.keep([encoder.specialists[1].name])


def test_all_of_it_is_on_the_default_device(few):
    with torch.device("meta"):
        encoder = build_encoder(few, bands=S2_BANDS)
    tensors = (*encoder.parameters(), *encoder.buffers())
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.filterwarnings("ignore:.torch.jit.script")
def test_torch_func_transforms_frozen_specialists(few):
    encoder = build_encoder(few, bands=S2_BANDS)
    images = torch.randn(2, 13, 32, 32)

    def encode(images):
        return encoder.encode(images)[0][0]

    mapped = torch.func.vmap(lambda image: encode(image[None])[0])(images)
    torch.testing.assert_close(mapped, encode(images))
    _, forward = torch.func.jvp(encode, (images,), (images,))
    _, backward = torch.autograd.functional.jvp(encode, images, images)
    torch.testing.assert_close(forward, backward)
