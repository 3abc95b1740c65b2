"""The specialist file: same content, same bytes; damage is one line."""

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch

from eosfm.core.errors import EosfmError
from eosfm.nn.specialist import (
    Specialist,
    build_specialist,
    load_specialist,
    save_specialist,
)


@pytest.fixture(scope="module")
def sar() -> Specialist:
    model = timm.create_model("convnextv2_atto", features_only=True, in_chans=3)
    return Specialist(
        name="sar",
        backbone="convnextv2_atto",
        in_chans=3,
        bands=("vv", "vh", "vh"),
        units=("db", "db", "db"),
        mean=(-10.0, -17.25, -17.25),
        std=(3.0, 4.0, 4.0),
        state_dict=model.to(memory_format=torch.channels_last).state_dict(),
        facts={
            "dataset": "toy",
            "task": "segmentation",
            "metrics": {"miou": 0.1 + 0.2, "epoch": 3},
        },
    )


def test_what_is_written_is_read(sar, tmp_path):
    save_specialist(tmp_path / "models" / "sar.pt", sar)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["sar.pt"]
    read = load_specialist(tmp_path / "models" / "sar.pt")
    assert read == sar
    assert read.facts == sar.facts
    assert all(read.state_dict[key].equal(value) for key, value in sar.state_dict.items())
    plain = torch.load(tmp_path / "models" / "sar.pt", weights_only=True)
    assert plain["format"] == 1
    assert plain["mean"] == [-10.0, -17.25, -17.25]
    assert plain["dataset"] == "toy"


def test_equal_content_gives_equal_bytes(sar, tmp_path):
    save_specialist(tmp_path / "a.pt", sar)
    save_specialist(tmp_path / "b.pt", replace(sar, facts=dict(reversed(sar.facts.items()))))
    save_specialist(tmp_path / "c.pt", load_specialist(tmp_path / "a.pt"))
    assert len({(tmp_path / name).read_bytes() for name in ("a.pt", "b.pt", "c.pt")}) == 1


@pytest.mark.parametrize("size", [0, 10, 600, -40])
def test_a_truncated_file_is_one_line(sar, tmp_path: Path, size):
    path = tmp_path / "sar.pt"
    save_specialist(path, sar)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(EosfmError, match=r"sar\.pt .*damaged") as caught:
        load_specialist(path)
    assert "\n" not in str(caught.value)


def test_another_format_and_missing_keys_are_named(tmp_path):
    keys = {"name": "x", "backbone": "convnextv2_atto", "bands": ["vv"], "state_dict": {}}
    torch.save(keys | {"format": 2}, tmp_path / "new.pt")
    with pytest.raises(EosfmError, match="has format 2"):
        load_specialist(tmp_path / "new.pt")
    torch.save({"format": 1, "name": "x"}, tmp_path / "half.pt")
    with pytest.raises(EosfmError, match="expected a dict with name, backbone, bands"):
        load_specialist(tmp_path / "half.pt")
    with pytest.raises(EosfmError, match="not found"):
        load_specialist(tmp_path / "none.pt")


def test_weights_of_another_width_are_refused(sar, tmp_path):
    save_specialist(tmp_path / "sar.pt", replace(sar, bands=("vv", "vh"), units=None, mean=None,
                                                 std=None, in_chans=2))  # fmt: skip
    with pytest.raises(EosfmError, match=r"do not fit convnextv2_atto with 2 channels"):
        load_specialist(tmp_path / "sar.pt")


@pytest.mark.parametrize("name", ["", "a" * 201, "two\nlines", "\x1b[31mred"])
def test_a_name_that_cannot_be_shown_is_refused(sar, name):
    with pytest.raises(EosfmError, match="has no name to show; expected one line of at most 200"):
        replace(sar, name=name)


def test_code_is_never_run(tmp_path):
    torch.save({"format": 1, "name": Path("x")}, tmp_path / "code.pt")
    with pytest.raises(EosfmError, match="holds code"):
        load_specialist(tmp_path / "code.pt")


@pytest.mark.parametrize(
    "mean",
    [{"vh": -17.25, "vv": -10.0}, torch.tensor([-10.0, -17.25, -17.25])],
    ids=["name", "tensor"],
)
def test_values_per_channel_may_be_told_by_band_or_as_a_tensor(sar, mean):
    facts = {"name": "sar", "backbone": sar.backbone, "bands": list(sar.bands), "mean": mean}
    built = build_specialist(3, sar.state_dict, facts, "a file")
    assert built.mean == (-10.0, -17.25, -17.25) and built.bands == sar.bands
    with pytest.raises(EosfmError, match=r"a file has mean .*; expected numbers, one per channel"):
        build_specialist(
            3, sar.state_dict, facts | {"name": "sar", "backbone": "b", "mean": {"vv": 1}}, "a file"
        )
