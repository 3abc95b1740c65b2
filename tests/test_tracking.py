import json
import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from eosfm import tracking
from eosfm.tracking import _EnergyMeter, current_run, track


def test_a_stage_leaves_an_energy_record_and_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with track("train", "potsdam", "FRA") as tracker:
        tracker.log({"loss": 2.0}, 1)
        tracker.log({"loss": 1.0}, 2)
        tracker.done("miou 0.5")
    record = json.loads((tmp_path / "results/train/potsdam/energy.json").read_text())
    assert record["stage"] == "train"
    assert record["kwh"] > 0
    assert record["co2eq_kg"] > 0
    assert record["power"] in ("measured", "estimated")
    assert record["peak_memory_gib"] > 0
    assert record["run"] == current_run()
    out = capsys.readouterr().out
    assert out.startswith("train potsdam: miou 0.5 | ")
    assert out.count("\n") == 1
    curve = (tmp_path / "results/train/potsdam/live/plots/metrics/loss.tsv").read_text()
    assert curve.splitlines()[1:] == ["1\t2.0", "2\t1.0"]
    assert not (tmp_path / "results/train/potsdam/live/dvc.yaml").exists()
    summary = json.loads((tmp_path / "results/train/potsdam/live/metrics.json").read_text())
    emissions = {key: record[key] for key in ("kwh", "co2eq_kg")}
    assert summary == {"loss": 1.0, "step": 2, "emissions": emissions}


def test_what_another_logged_gets_the_energy_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with track("train", "x", "FRA") as tracker:
        other = tracking.open_live(tracker.live)
        other.step = 3
        other.log_metric("loss", 0.5)
        other.end()
    summary = json.loads((tmp_path / "results/train/x/live/metrics.json").read_text())
    assert summary["emissions"]["kwh"] > 0
    assert (summary["loss"], summary["step"]) == (0.5, 3)
    assert [file.name for file in tmp_path.rglob("*.tsv")] == ["loss.tsv"]


DVC = """
import os, subprocess, sys
print(os.getpid(), flush=True)
stage = "from eosfm.tracking import current_run; print(current_run())"
for _ in range(2):
    subprocess.run(["sh", "-c", '"$0" -c "$1"; true', sys.executable, stage], check=True)
"""


def test_stages_that_one_dvc_process_starts_are_of_one_run(tmp_path, monkeypatch):
    monkeypatch.delenv(tracking.RUN, raising=False)
    (tmp_path / "dvc").write_text(DVC)
    words = [sys.executable, str(tmp_path / "dvc"), "repro"]
    done = subprocess.run(words, text=True, capture_output=True, check=True)
    process, *runs = done.stdout.split()
    assert len(runs) == 2 and len(set(runs)) == 1 and runs[0].startswith(f"{process}-")


def test_a_parent_that_the_system_hides_costs_no_stage_its_end(monkeypatch):
    def hidden(process):
        raise psutil.AccessDenied(process.pid)

    monkeypatch.delenv(tracking.RUN, raising=False)
    monkeypatch.setattr(psutil.Process, "parent", hidden)
    assert current_run().startswith(f"{os.getpid()}-")


def test_a_failed_stage_leaves_no_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError), track("train", "x", "FRA"):
        raise RuntimeError
    assert not (tmp_path / "results").exists()


def test_stages_side_by_side_share_the_energy_of_the_machine(tmp_path, monkeypatch):
    """CodeCarbon meters the whole machine; here it has spent 3 Wh of CPU, 1 of memory, 6 of GPU.

    It has done so in the last two of three seconds, so what was spent is half as much again.
    """
    from codecarbon import OfflineEmissionsTracker

    spent = SimpleNamespace(
        cpu_energy=0.003, ram_energy=0.001, gpu_energy=0.006, energy_consumed=0.010,
        emissions=0.1, cpu_model="c", gpu_model="g", duration=2.0,
    )  # fmt: skip
    monkeypatch.setattr(OfflineEmissionsTracker, "start", lambda self: None)
    monkeypatch.setattr(OfflineEmissionsTracker, "stop", lambda self: None)
    monkeypatch.setattr(OfflineEmissionsTracker, "final_emissions_data", spent, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EOSFM_RUN", "night-7")
    monkeypatch.setattr(_EnergyMeter, "_elapsed", lambda self: 3.0)
    for share, gpu_share, kwh in (("1", "1", 0.015), ("0.25", "1", 0.0105), ("0.5", "0.5", 0.0075)):
        monkeypatch.setenv("EOSFM_MACHINE_SHARE", share)
        monkeypatch.setenv("EOSFM_GPU_SHARE", gpu_share)
        with track("tile", share, "FRA"):
            pass
        record = json.loads((tmp_path / f"results/tile/{share}/energy.json").read_text())
        assert record["kwh"] == pytest.approx(kwh)
        assert record["co2eq_kg"] == pytest.approx(10 * kwh)
        assert record["run"] == "night-7"


def test_energy_trouble_does_not_stop_a_stage(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with track("tile", "x", "XXX"):
        pass
    record = json.loads((tmp_path / "results/tile/x/energy.json").read_text())
    assert record["kwh"] is None
    assert "energy not tracked" in capsys.readouterr().err
