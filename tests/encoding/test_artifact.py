import pickle
import zipfile
from dataclasses import replace

import pytest
import timm
import torch

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import export_artifact, load_artifact, save_artifact
from eosfm.model import EosFM
from eosfm.nn.specialist import Specialist, load_specialist


@pytest.fixture
def pair(make_specialist):
    return [
        make_specialist(
            "rgb",
            ("red", "green", "blue"),
            units=("dn8",) * 3,
            mean=(1.0, 2.0, 3.0),
            std=(4.0, 5.0, 6.0),
            facts={"dataset": "loveda", "task": "segmentation", "metrics": {"miou": 0.5}},
        ),
        make_specialist("s1", ("vv", "vh", "vh")),
    ]


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_round_trip(pair, tmp_path):
    save_artifact(tmp_path / "a.pth", pair)
    again = load_artifact(tmp_path / "a.pth")
    assert again == pair
    assert dict(again[0].facts) == dict(pair[0].facts)
    for old, new in zip(pair, again, strict=True):
        assert old.state_dict.keys() == new.state_dict.keys()
        assert all(torch.equal(old.state_dict[key], new.state_dict[key]) for key in old.state_dict)


def test_same_specialists_same_bytes_whatever_the_file_is_called(pair, tmp_path):
    save_artifact(tmp_path / "a.pth", pair)
    save_artifact(tmp_path / "other.pth", load_artifact(tmp_path / "a.pth"))
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "other.pth").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "other.pth"]


def test_views_of_one_storage_do_not_swell_the_file(pair, tmp_path):
    shared = torch.zeros(10_000_000)
    weights = {k: shared[: v.numel()].view(v.shape) for k, v in pair[0].state_dict.items()}
    save_artifact(tmp_path / "a.pth", [replace(pair[0], state_dict=weights)])
    assert (tmp_path / "a.pth").stat().st_size < 1_000_000


def test_plain_torch_and_plain_timm_read_it(make_specialist, tmp_path):
    specialist = make_specialist("rgb", ("red", "green", "blue"), backbone="convnextv2_atto")
    save_artifact(tmp_path / "a.pth", [specialist])
    ((in_chans, state_dict, config),) = torch.load(tmp_path / "a.pth", weights_only=True)
    assert config["encoder_name"] == "rgb"
    assert config["backbone"] == "timm_convnextv2_atto"
    name = config["backbone"].removeprefix("timm_")
    model = timm.create_model(name, features_only=True, in_chans=in_chans)
    model.load_state_dict(state_dict)
    x = torch.randn(1, 3, 64, 64)
    ours = EosFM.from_artifact(tmp_path / "a.pth", in_chans=3).encode(x)[0]
    for level, expected in zip(ours, model.eval()(x), strict=True):
        assert (level - expected).norm() <= 1e-5 * expected.norm()


def test_published_entry_without_our_keys(pair, tmp_path):
    config = {"backbone": "timm_smallnext", "encoder_name": "published", "lr": 1e-4}
    torch.save([(3, pair[0].state_dict, config)], tmp_path / "p.pth")
    (specialist,) = load_artifact(tmp_path / "p.pth")
    assert (specialist.name, specialist.backbone, specialist.bands) == (
        "published", "smallnext", None,
    )  # fmt: skip
    assert specialist.facts == {"lr": 1e-4}


class Evil:
    def __reduce__(self):
        return print, ("code from a file",)


def test_code_in_a_file_is_refused(pair, tmp_path, capsys):
    torch.save([(3, pair[0].state_dict, {"backbone": Evil()})], tmp_path / "evil.pth")
    with pytest.raises(EosfmError, match="holds code") as error:
        load_artifact(tmp_path / "evil.pth")
    one_line(error)
    assert "code from a file" not in capsys.readouterr().out


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_truncated_file_is_refused(pair, tmp_path, keep):
    save_artifact(tmp_path / "a.pth", pair)
    content = (tmp_path / "a.pth").read_bytes()
    size = int(keep * len(content)) if isinstance(keep, float) else keep
    (tmp_path / "a.pth").write_bytes(content[:size])
    with pytest.raises(EosfmError, match=r"a\.pth is damaged") as error:
        load_artifact(tmp_path / "a.pth")
    one_line(error)


def test_altered_weights_are_refused(pair, tmp_path):
    save_artifact(tmp_path / "a.pth", pair)
    content = bytearray((tmp_path / "a.pth").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(EosfmError, match="damaged") as error:
        load_artifact(tmp_path / "a.pth")
    one_line(error)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_any_pickle_is_refused(tmp_path):
    (tmp_path / "a.pth").write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(EosfmError):
        load_artifact(tmp_path / "a.pth")


@pytest.mark.parametrize("content", [b"text", b"\x80\x02U", b"\x80\x02M", b"PK\x03\x04", b"."])
def test_any_bytes_are_refused(content, tmp_path):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(EosfmError, match="damaged or no file of weights") as error:
        load_artifact(tmp_path / "a.pth")
    one_line(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {}}, "holds a dict, expected a list"),
        ([], "expected a list"),
        ([(3, {})], "entry 0"),
        ([("3", {}, {})], "entry 0"),
        ([(3, {}, {"encoder_name": "x"})], "names no backbone"),
        ([(3, {"a": 1}, {"backbone": "timm_smallnext"})], "no tensors"),
        ([(3, {}, {"backbone": "timm_nothing"})], "'nothing'.* unknown to timm"),
        ([(3, {}, {"backbone": "timm_smallnext"})], "missing, expected"),
    ],
)
def test_what_is_no_artifact_is_refused(content, message, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(EosfmError, match=message) as error:
        load_artifact(tmp_path / "a.pth")
    one_line(error)


def test_missing_file(tmp_path):
    with pytest.raises(EosfmError, match="not found"):
        load_artifact(tmp_path / "a.pth")


def test_wrong_shapes_are_refused_both_ways(pair, tmp_path):
    torch.save([(4, pair[0].state_dict, {"backbone": "timm_smallnext"})], tmp_path / "a.pth")
    with pytest.raises(EosfmError, match=r"do not fit smallnext with 4 channels: stem_0\.weight"):
        load_artifact(tmp_path / "a.pth")
    with pytest.raises(EosfmError, match="do not fit"):
        save_artifact(tmp_path / "b.pth", [replace(pair[0], backbone="widenext")])
    assert not (tmp_path / "b.pth").exists()


def test_what_cannot_be_stored_leaves_no_file(pair, tmp_path):
    with pytest.raises(EosfmError, match="cannot store a object"):
        save_artifact(tmp_path / "a.pth", [replace(pair[0], facts={"x": object()})])
    assert list(tmp_path.iterdir()) == []


def test_per_channel_facts_must_fit():
    with pytest.raises(EosfmError, match="3 channels but 2 values of mean"):
        Specialist("a", "smallnext", 3, {}, mean=(0.0, 1.0))
    with pytest.raises(EosfmError, match="specialist 'a': unknown band 'rd'"):
        Specialist("a", "smallnext", 1, {}, bands=("rd",))


def test_two_of_one_name_are_refused(pair, tmp_path):
    with pytest.raises(EosfmError, match="2 specialists are named 'rgb'"):
        save_artifact(tmp_path / "a.pth", [*pair, pair[0]])


def test_export_gathers_specialist_files(pair, tmp_path):
    rgb = pair[0]
    content = {
        "format": 1, "name": "rgb", "backbone": "smallnext", "bands": list(rgb.bands),
        "units": list(rgb.units), "mean": list(rgb.mean), "std": list(rgb.std),
        "dataset": "loveda", "task": "segmentation", "metrics": {"miou": 0.5},
        "state_dict": dict(rgb.state_dict),
    }  # fmt: skip
    torch.save(content, tmp_path / "rgb.pt")
    export_artifact([tmp_path / "rgb.pt"], tmp_path / "a.pth")
    (again,) = load_artifact(tmp_path / "a.pth")
    assert again == rgb
    assert again.facts["metrics"] == {"miou": 0.5}
    torch.save({**content, "format": 2}, tmp_path / "rgb.pt")
    with pytest.raises(EosfmError, match="format 2"):
        load_specialist(tmp_path / "rgb.pt")
    torch.save({"state_dict": {}}, tmp_path / "rgb.pt")
    with pytest.raises(EosfmError, match="is no specialist"):
        load_specialist(tmp_path / "rgb.pt")


def configured(values):
    return lambda entries: entries[0][2].update(values)


def nested():
    level = [0.0] * 10
    for _ in range(12):
        level = [level] * 10
    return level


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e[1][2].update(name="rgb"), "2 specialists are named 'rgb'"),
        (lambda e: e[0][1]["stem_0.bias"].fill_(float("nan")), "stem_0.bias are NaN or infinite"),
        (configured({"mean": [1.0, float("inf"), 0.0]}), "expected finite numbers"),
        (configured({"std": [1.0, 0.0, 1.0]}), "expected numbers other than 0"),
        (configured({"std": None}), "only one of mean and std"),
        (configured({"mean": torch.zeros(1).expand(10**9)}), "names its content again and again"),
        (configured({"mean": torch.zeros(1000)}), "has mean tensor"),
        (configured({"dates": 0}), "3 channels of 0 date"),
        (configured({"dates": "2"}), "3 channels of '2' date"),
        (configured({"bands": 3}), "has bands 3"),
        (configured({"notes": nested()}), "names its content again and again"),
        (configured({"backbone": "timm_hf-hub:someone/model"}), "'hf-hub:someone/model'.*unknown"),
        (configured({"backbone": "timm_local-dir:/tmp"}), "'local-dir:/tmp'.*unknown"),
        (configured({"backbone": None}), "'None'.*unknown"),
        (lambda e: e[0][1].update({5: torch.zeros(1)}), "weights or facts without a name"),
        (lambda e: e[0][2].update({5: 1}), "weights or facts without a name"),
        (lambda e: e.__setitem__(0, (-3, *e[0][1:])), "has -3 channels"),
        (lambda e: e.__setitem__(0, (True, *e[0][1:])), "has True channels"),
        (
            lambda e: e[0][1].update({"stem_0.bias": e[0][1]["stem_0.bias"].to_sparse()}),
            "weights that are no tensors",
        ),
        (
            lambda e: e[0][1].update({"stem_0.bias": e[0][1]["stem_0.bias"].to(torch.complex64)}),
            "weights that are no tensors",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_when_it_is_read(pair, tmp_path, change, message):
    save_artifact(tmp_path / "a.pth", pair)
    content = torch.load(tmp_path / "a.pth", weights_only=True)
    change(content)
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(EosfmError, match=message) as error:
        load_artifact(tmp_path / "a.pth")
    assert len(one_line(error)) < 400


def test_a_packed_archive_is_refused_before_it_is_unpacked(pair, tmp_path):
    save_artifact(tmp_path / "a.pth", pair)
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as plain,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
        packed.writestr("a/more", bytes(300 * 2**20))
    assert (tmp_path / "b.pth").stat().st_size < 2**20
    with pytest.raises(EosfmError, match="is packed, as torch packs no weights"):
        load_artifact(tmp_path / "b.pth")
