"""The plan against a run at ``scale=full``, from the archive to the scores."""

import pytest
import yaml

from benchmarks import rehearsal
from benchmarks.rehearsal import STEPS, compare, lay_out, run_stage
from eosfm import tracking
from tests.fixtures.tasks import BACKBONE

CLOSE = 0.05
"""How far the plan may be off here; benchmarks/scale.py allows a quarter."""


class NoMeter:
    """Instead of the energy meter, whose first look at the machine takes a second a stage."""

    def __init__(self, country):
        pass

    def stop(self):
        return {"kwh": None, "co2eq_kg": None, "power": "unknown", "cpu": "", "gpu": ""}


def write_small_params(project, stored, write=rehearsal.write_params):
    """The rehearsal's, with small encoders, and with loaders of training alone."""
    write(project, stored)
    file = project.path / "params.yaml"
    params = yaml.safe_load(file.read_text())
    params["backbone"]["name"] = BACKBONE
    params["scales"]["full"]["protocol"]["workers"] = 0
    file.write_text(yaml.safe_dump(params))


def test_what_was_planned_is_what_came(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "_EnergyMeter", NoMeter)
    monkeypatch.setattr("eosfm.datasets.native.contents.CLOCK_TICK", 0.02)
    monkeypatch.setattr(rehearsal, "write_params", write_small_params)
    with lay_out(tmp_path, {"train": 3, "val": 1, "test": 1}) as project:
        monkeypatch.chdir(tmp_path)
        for stage, item in STEPS:
            write_small_params(project, stored=item == "stored")
            run_stage(tmp_path, stage, item)
        figures = list(compare(project))
    told = {figure.step for figure in figures}
    assert told == {f"{stage}@{item}" for stage, item in STEPS} - {
        "start@",
        "export@",
        "features@live",
    }
    for figure in figures:
        assert figure.found == pytest.approx(figure.planned, rel=CLOSE), figure
