"""Results are written as JSON and read back as the same; what is no result is refused."""

from dataclasses import fields

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.core.results import read_result, write_result
from eosfm.evaluation.result import AnalysisResult, BaselineResults, Fit, TaskResult

FIT = Fit({"rmse": 2.0, "r2": 0.5}, {"rmse": 1 / 3, "r2": -0.25}, 4, np.ones((3, 5)))
RESULT = TaskResult(
    metric="rmse",
    score=0.0,
    score_metric="r2",
    val=FIT.val,
    test=FIT.test,
    spread={"rmse": 0.0, "r2": 0.0},
    per_class={"land": 1 / 7, "ice": None},
    classes=("land", "ice"),
    fits=(FIT, FIT),
    selected=("a", "b"),
    labels=12,
    train_tiles=48,
)
BASELINES = BaselineResults(*[RESULT] * len(fields(BaselineResults)))
ANALYSIS = AnalysisResult(
    {"1": RESULT, "all": RESULT}, RESULT, {"a": RESULT}, {}, {"0.1": RESULT}, {"0.1": RESULT}
)


@pytest.mark.parametrize("result", [RESULT, BASELINES, ANALYSIS])
def test_what_is_written_is_read_back(tmp_path, result):
    write_result(tmp_path / "a.json", result)
    assert read_result(tmp_path / "a.json", type(result), "evaluate@a") == result


def test_a_missing_result_names_its_stage(tmp_path):
    with pytest.raises(EosfmError, match=r"a\.json not found; run `dvc repro evaluate@a`"):
        read_result(tmp_path / "a.json", TaskResult, "evaluate@a")


@pytest.mark.parametrize("text", ["{", '{"val": {}, "test": {}, "best_epoch": "many"}', "[]"])
def test_what_is_no_result_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(EosfmError, match=r"no Fit .*; run `dvc repro -f evaluate@a`") as error:
        read_result(tmp_path / "a.json", Fit, "evaluate@a")
    assert "\n" not in str(error.value)
