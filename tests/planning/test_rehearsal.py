"""The plan against a run at ``scale=full``, from the archive to the scores."""

import pytest

from benchmarks.rehearsal import STEPS, compare, lay_out, run_stage, write_params
from eosfm import tracking

CLOSE = 0.05
"""How far the plan may be off here; benchmarks/scale.py allows a quarter."""


class NoMeter:
    """Instead of the energy meter, whose first look at the machine takes a second a stage."""

    def __init__(self, country):
        pass

    def stop(self):
        return {"kwh": None, "co2eq_kg": None, "power": "unknown", "cpu": "", "gpu": ""}


def test_what_was_planned_is_what_came(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "_EnergyMeter", NoMeter)
    with lay_out(tmp_path, {"train": 3, "val": 1, "test": 1}) as project:
        monkeypatch.chdir(tmp_path)
        for stage, item in STEPS:
            write_params(project, stored=item == "stored")
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
