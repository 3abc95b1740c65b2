import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eosfm.core.bands import BANDS, S2_BANDS, band, same
from eosfm.core.errors import EosfmError
from eosfm.encoding.adaptation import COUNTED, plan
from eosfm.encoding.encoder import build_encoder
from eosfm.nn.specialist import Specialist

EUROSAT = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12",
           "B8A")  # fmt: skip


def bare(name, bands):
    """A specialist without weights: planning needs none."""
    if isinstance(bands, int):
        return Specialist(name, "smallnext", bands, {})
    return Specialist(name, "smallnext", len(bands), {}, bands=tuple(bands))


KINDS = {
    "rgb": ("B04", "B03", "B02"),
    "nrg": ("nir", "red", "green"),
    "s1": ("vv", "vh", "vh"),
    "caffe": ("sar", "sar", "sar"),
    "s2": S2_BANDS,
    "ben": ("vv", "vh", *(name for name in S2_BANDS if name != "B10")),
}
ENSEMBLE = [bare(name, bands) for name, bands in KINDS.items()]


@pytest.mark.filterwarnings("ignore:skipped")
def named(*bands):
    inputs, skipped = plan(ENSEMBLE, bands, len(bands), "named")
    assert {spec.name for spec in inputs} | skipped.keys() == KINDS.keys()
    return {spec.name: spec for spec in inputs}, skipped


@pytest.mark.filterwarnings("ignore:skipped")
def test_exact_bands_go_by_name_not_by_index():
    inputs, _ = named(*EUROSAT)
    assert inputs["s2"].sources == S2_BANDS
    assert inputs["s2"].channel_map == (0, 1, 2, 3, 4, 5, 6, 7, 12, 8, 9, 10, 11)
    assert inputs["rgb"].sources == ("B04", "B03", "B02")
    assert inputs["nrg"].sources == ("B08", "B04", "B03")
    assert {inputs[name].rule for name in ("s2", "rgb", "nrg")} == {"exact"}


@pytest.mark.filterwarnings("ignore:skipped")
@pytest.mark.parametrize(
    ("bands", "specialist", "rule", "sources"),
    [
        (("red", "green", "blue"), "nrg", "rgb", ("red", "green", "blue")),
        (("nir", "red", "green"), "rgb", "false colour", ("nir", "red", "green")),
        (("B02", "B03", "B04", "B8A"), "nrg", "close wavelength", ("B8A", "B04", "B03")),
        (("vh", "vv"), "caffe", "sar composite", ("vv", "vh", "vh")),
        (("vv",), "s1", "sar composite", ("vv", "vv", "vv")),
        (("sar",), "s1", "repetition", ("sar", "sar", "sar")),
        (("vv_desc", "vh_desc"), "s1", "exact", ("vv_desc", "vh_desc", "vh_desc")),
        (("B08",), "rgb", "nearest wavelength", ("B08", "B08", "B08")),
        (("B11", "B04"), "nrg", "nearest wavelength", ("B04", "B04", "B04")),
    ],
)
def test_substitution_rules(bands, specialist, rule, sources):
    inputs, _ = named(*bands)
    assert (inputs[specialist].rule, inputs[specialist].sources) == (rule, sources)


@pytest.mark.filterwarnings("ignore:skipped")
def test_substitutes_are_stated():
    inputs, _ = named("red", "green", "blue")
    assert "nir from red (180 nm off)" in inputs["nrg"].note
    assert "vv vh at the mean" in inputs["ben"].note
    inputs, _ = named("vv", "vh")
    assert inputs["ben"].sources == ("vv", "vh", *["mean"] * 12)


def test_what_makes_no_sense_is_skipped_by_name():
    with pytest.warns(UserWarning, match=r"rgb \(needs optical, the input has radar\)"):
        inputs, skipped = named("vv", "vh")
    assert set(skipped) == {"rgb", "nrg", "s2"}
    assert set(inputs) == {"s1", "caffe", "ben"}


def test_stacked_dates_are_fed_with_the_one_date_there_is():
    rgb = ("B04", "B03", "B02")
    ours = Specialist("ours", "smallnext", 6, {}, bands=rgb * 2, facts={"dates": 2})
    inputs, skipped = plan([ours, bare("published", 6)], ("blue", "green", "red"), 3, "named")
    assert not skipped
    assert [spec.channel_map for spec in inputs] == [(2, 1, 0, 2, 1, 0)] * 2
    assert inputs[0].note == "the one date of the input stands for its 2"
    assert inputs[1].note.startswith(inputs[0].note)
    with pytest.raises(EosfmError, match="'B04' is named twice"):
        bare("no dates", rgb * 2)


@pytest.mark.filterwarnings("ignore:skipped")
def test_stacked_dates_under_counted_rules_are_six_channels_or_skipped_by_name():
    ensemble = [bare("published", 6), bare("rgb", ("red", "green", "blue"))]
    inputs, _ = plan(ensemble, None, 6, "counted")
    assert [(spec.name, spec.channel_map) for spec in inputs] == [("published", (0, 1, 2, 3, 4, 5))]
    _, skipped = plan(ensemble, None, 13, "counted")
    assert skipped == {"published": "no counted rule (6, 13)"}


def test_repetition_where_nothing_makes_sense():
    inputs, skipped = named("height")
    assert not skipped
    assert inputs["rgb"].sources == ("height",) * 3
    assert "needs optical" in inputs["rgb"].note


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(BANDS)), min_size=1, max_size=16, unique=True))
def test_named_feeds_or_reports_every_specialist(bands):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs, _ = named(*bands)
    for spec in inputs.values():
        wanted = KINDS[spec.name]
        assert len(spec.channel_map) == len(wanted)
        for name, channel in zip(wanted, spec.channel_map, strict=True):
            if spec.note.startswith("no physical match"):
                continue
            if channel is None:
                assert not any(same(name, other) for other in bands)
            else:  # light is never shown to radar weights, nor radar to optical ones
                optical = band(name).wavelength is not None
                assert (band(bands[channel]).wavelength is not None) == optical


@pytest.mark.parametrize("in_chans", [2, 3, 4, 5, 12, 13, 14, 15])
def test_names_by_convention_are_said(in_chans):
    with pytest.warns(UserWarning, match=f"assumed from its {in_chans} channels"):
        inputs, _ = plan([bare("x", in_chans)], None, in_chans, "named")
    assert inputs[0].channel_map == tuple(range(in_chans))
    assert "assumed" in inputs[0].note


def test_no_names_by_convention():
    with pytest.raises(EosfmError, match="6 channels; name its bands"):
        plan(ENSEMBLE, None, 6, "named")


def test_names_must_match_the_channels():
    with pytest.raises(EosfmError, match="2 band names for 3 channels"):
        plan(ENSEMBLE, ("vv", "vh"), 3, "named")
    with pytest.raises(EosfmError, match="unknown band"):
        plan(ENSEMBLE, ("vv", "xx"), 2, "named")


# The published rules, written out: what a specialist of `required` channels sees of `x`.
def published(required, x):
    channels = x.shape[1]
    if required == channels:
        return [x]
    table = {
        (3, 12): [[3, 2, 1]],
        (3, 13): [[3, 2, 1], [7, 3, 2]],
        (3, 14): [[5, 4, 3]],
        (12, 14): [[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]],
        (2, 14): [[0, 1]],
        (3, 2): [[0, 1, 1]],
        (3, 4): [[3, 0, 1], [0, 1, 2]],
        (3, 5): [[0, 1, 2], [3, 4, 4]],
    }
    if (required, channels) in table:
        return [x[:, channel_map] for channel_map in table[required, channels]]
    if required in (12, 13, 14) and channels in (2, 3, 4):
        return [torch.cat([x] * 7, dim=1)[:, :required]]
    return []


@pytest.mark.filterwarnings("ignore:skipped")
@pytest.mark.parametrize("in_chans", [2, 3, 4, 5, 12, 13, 14])
def test_counted_equals_the_published_rules(mixed, in_chans):
    x = torch.randn(2, in_chans, 64, 64)
    encoder = build_encoder(mixed, in_chans=in_chans)
    expected = []
    for specialist in mixed:
        model = timm.create_model("smallnext", features_only=True, in_chans=specialist.in_chans)
        model.load_state_dict(specialist.state_dict)
        with torch.no_grad():
            images = published(specialist.in_chans, x)
            expected += [model.eval()(image) for image in images]
        if not images:
            assert specialist.name in encoder.skipped
    for pyramid, published_one in zip(encoder.encode(x), expected, strict=True):
        for level, wanted in zip(pyramid, published_one, strict=True):
            assert level.shape == wanted.shape
            assert (level - wanted).norm() <= 1e-5 * wanted.norm()


def test_counted_table_has_the_published_pairs_and_no_others():
    x = {count: torch.zeros(1, count, 1, 1) for count in range(1, 16)}
    for required in range(1, 16):
        for available in set(x) - {required}:
            rules = COUNTED.get((required, available), ())
            assert len(rules) == len(published(required, x[available]))


def test_counted_with_nothing_to_feed():
    with pytest.raises(EosfmError, match="no specialist can be fed with 6 channels"):
        plan([bare("a", 3)], None, 6, "counted")
