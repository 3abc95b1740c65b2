"""The settings of docs/real-data.md, and the script that takes them from there."""

import runpy
from pathlib import Path

import yaml

from eosfm.core.closure import ROOT
from eosfm.params import load_params

REAL = runpy.run_path(str(ROOT / "benchmarks/real.py"))


def test_the_settings_of_the_page_are_valid_and_replace_two_specialists(tmp_path):
    roots = {name: tmp_path / name for name in ("eurosat_real", "oscd_real")}
    found = {}
    for ensemble in REAL["ENSEMBLES"]:
        (tmp_path / ensemble).write_text(yaml.safe_dump(REAL["params"](ensemble, roots)))
        found[ensemble] = load_params(tmp_path / ensemble)
    simulated, real = found["simulated"], found["real"]
    assert simulated.ensemble == load_params(ROOT / "params.yaml").ensemble
    changed = {a: b for a, b in zip(simulated.ensemble, real.ensemble, strict=True) if a != b}
    assert changed == REAL["REPLACED"]
    for before, after in changed.items():
        one, other = real.specialist(before), real.specialist(after)
        # What differs is where the images come from; the page's trainings are by recipe `ours`.
        apart = {"dataset", "published"}
        assert one.model_dump(exclude=apart) == other.model_dump(exclude=apart)
        task = real.task(other.dataset)
        assert task.dataset == other.dataset and real.source(task.dataset) == "archive"
        assert Path(str(real.dataset(task.dataset).root)) == roots[task.dataset]
    assert set(REAL["TASKS"]) == set(roots) and REAL["CITIES"] in REAL["TASKS"]
