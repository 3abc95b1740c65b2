"""The specialist file: same content, same bytes; damage is one line."""

from pathlib import Path

import pytest
import torch

from eosfm.errors import EosfmError
from eosfm.specialists import Specialist


def specialist() -> Specialist:
    weights = torch.arange(24, dtype=torch.float32).view(2, 3, 2, 2)
    return Specialist(
        name="sar",
        backbone="convnextv2_atto",
        bands=("vv", "vh", "vh"),
        units=("db", "db", "db"),
        mean=(-10.0, -17.25, -17.25),
        std=(3.0, 4.0, 4.0),
        dataset="toy",
        task="segmentation",
        metrics={"miou": 0.1 + 0.2, "metric": "miou", "epoch": 3},
        state_dict={"stem.weight": weights.contiguous(memory_format=torch.channels_last)},
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    specialist().save(tmp_path / "models" / "sar.pt")
    read = Specialist.load(tmp_path / "models" / "sar.pt")
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["sar.pt"]
    assert read.bands == ("vv", "vh", "vh") and read.std == (3.0, 4.0, 4.0)
    assert read.metrics == specialist().metrics
    assert read.state_dict["stem.weight"].equal(specialist().state_dict["stem.weight"])
    plain = torch.load(tmp_path / "models" / "sar.pt", weights_only=True)
    assert plain["format"] == 1 and plain["mean"] == [-10.0, -17.25, -17.25]


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    specialist().save(tmp_path / "a.pt")
    specialist().save(tmp_path / "b.pt")
    Specialist.load(tmp_path / "a.pt").save(tmp_path / "c.pt")
    written = {(tmp_path / name).read_bytes() for name in ("a.pt", "b.pt", "c.pt")}
    assert len(written) == 1


@pytest.mark.parametrize("size", [0, 10, 600, -40])
def test_a_truncated_file_is_one_line(tmp_path: Path, size: int) -> None:
    path = tmp_path / "sar.pt"
    specialist().save(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(EosfmError, match=r"sar.pt is damaged .*train@sar") as caught:
        Specialist.load(path)
    assert "\n" not in str(caught.value)


def test_another_format_and_a_missing_key_are_named(tmp_path: Path) -> None:
    torch.save({"format": 2}, tmp_path / "new.pt")
    with pytest.raises(EosfmError, match="has format 2, expected 1"):
        Specialist.load(tmp_path / "new.pt")
    torch.save({"format": 1, "name": "x"}, tmp_path / "half.pt")
    with pytest.raises(EosfmError, match="lacks backbone, bands"):
        Specialist.load(tmp_path / "half.pt")
    with pytest.raises(EosfmError, match="not found"):
        Specialist.load(tmp_path / "none.pt")


def test_code_is_never_run(tmp_path: Path) -> None:
    torch.save({"format": 1, "name": Path("x")}, tmp_path / "code.pt")
    with pytest.raises(EosfmError, match="no specialist file"):
        Specialist.load(tmp_path / "code.pt")
