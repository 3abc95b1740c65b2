"""The settings of docs/real-data.md, and the script that takes them from there."""

import runpy
from pathlib import Path

import pytest
import yaml

from eosfm.core.closure import ROOT
from eosfm.core.results import write_result
from eosfm.evaluation.result import BaselineResults, Fit, TaskResult
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


@pytest.mark.parametrize(("fits", "shown"), [(1, "0.700"), (2, "0.700 ± 0.010")])
def test_one_fit_is_shown_without_a_spread(tmp_path, fits, shown):
    scores, spread = {"accuracy": 0.7}, {"accuracy": 0.01 * (fits > 1)}
    result = TaskResult(
        "accuracy", 0.7, "accuracy", scores, scores, spread, {}, ("a",),
        (Fit(scores, scores, 0),) * fits, ("eurosat_rgb",), 9, 9,
    )  # fmt: skip
    for stage, found in (("evaluate", result), ("baseline", BaselineResults(*[result] * 5))):
        write_result(tmp_path / f"real/results/{stage}/eurosat_real/metrics.json", found)
    assert REAL["_row"](tmp_path, "eurosat_real", "real")[3:5] == [shown, "0.700"]
