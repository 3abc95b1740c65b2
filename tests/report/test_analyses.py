"""Tables and pictures of the analyses, from results written by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosfm.core.errors import EosfmError
from eosfm.core.results import write_result
from eosfm.evaluation.result import AnalysisResult
from eosfm.report.analyses import by_count, by_labels, contributions, spread, write_analyses

from .conftest import task_result


@pytest.fixture
def analyses(params):
    """One specialist scores 0.4, five 0.6, all 0.7; the first alone 0.5, without it 0.65."""
    names = tuple(params.specialists)

    def team(score, count=0, labels=60):
        return replace(task_result("miou", score, names[:count]), labels=labels)

    result = AnalysisResult(
        counts={"1": team(0.4, 1), "5": team(0.6, 5), "all": team(0.7, len(names))},
        whole=team(0.7),
        alone={names[0]: team(0.5)},
        without={names[0]: team(0.65)},
        labels={"0.1": team(0.6, labels=6), "1": team(0.6)},
        scratch={"0.1": team(0.3, labels=6), "1": team(0.3)},
    )
    return dict.fromkeys(params.tasks, result)


def test_counts_have_mean_scores_and_the_energy_of_the_chosen(params, analyses):
    rows = by_count(analyses, dict.fromkeys(params.specialists, 0.002))
    assert [row.specialists for row in rows] == ["1", "5", "all"]
    assert [row.score for row in rows] == pytest.approx([0.4, 0.6, 0.7])
    assert [row.train_kwh for row in rows] == pytest.approx(
        [0.002, 0.010, 0.002 * len(params.specialists)]
    )
    assert rows[0].score_per_wh == pytest.approx(0.4 / 2)


def test_contributions_are_differences_to_the_whole(params, analyses):
    names = list(params.specialists)
    alone, without = (contributions(names, analyses, part) for part in ("alone", "without"))
    assert alone[0] == pytest.approx(-0.2) and without[0] == pytest.approx(0.05)
    assert np.isnan(alone[1:]).all()  # no figure for a specialist that a task cannot use


def test_labels_are_listed_by_task(params, analyses):
    header, first, *others = by_labels(analyses)
    assert len(others) == 2 * len(params.tasks) - 1
    expected = {"task": next(iter(params.tasks)), "share": 0.1, "tiles": 6}
    assert dict(zip(header, first, strict=True)) == {**expected, "eosfm": 0.6, "scratch": 0.3}


def test_pictures_and_numbers_are_written(params, analyses, written, tmp_path):
    for name, result in analyses.items():
        write_result(tmp_path / "tasks" / name / "metrics.json", result)
    out = tmp_path / "plots"
    line = write_analyses(params, tmp_path / "tasks", written / "train", out)
    assert "0.700 with all" in line
    names = {path.name for path in out.iterdir()}
    assert names == {
        "counts.csv", "counts.png", "alone.csv", "alone.png", "without.csv", "without.png",
        "choices.png", "labels.csv", "labels.png",
    }  # fmt: skip
    assert all(path.stat().st_size < 200_000 for path in out.iterdir())
    (tmp_path / "tasks" / name / "metrics.json").unlink()
    with pytest.raises(EosfmError, match=r"dvc repro analyses/dvc\.yaml"):
        write_analyses(params, tmp_path / "tasks", written / "train", out)


def test_an_artifact_of_others_has_rows_of_its_own(params, analyses, written, tmp_path):
    theirs = replace(task_result("miou", 0.8, ("theirs",)))
    brought = {
        task: replace(
            one, counts={"1": theirs, "all": theirs}, without={}, alone={"theirs": theirs}
        )
        for task, one in analyses.items()
    }
    for name, result in brought.items():
        write_result(tmp_path / "in" / name / "metrics.json", result)
    write_analyses(params, tmp_path / "in", written / "train", tmp_path / "out")
    assert "\ntheirs," in (tmp_path / "out" / "alone.csv").read_text()


@given(st.lists(st.floats(0, 1), max_size=13))
def test_names_beside_curves_keep_apart_and_in_order(heights):
    moved = np.array(spread(heights, 0.02))
    order = np.argsort(heights, kind="stable")
    assert (np.diff(moved[order]) >= 0.02 - 1e-9).all()
    assert len(heights) == 0 or np.isclose(moved.mean(), np.mean(heights))


def test_names_that_are_apart_stay():
    assert spread([0.5, 0.1, 0.9], 0.02) == [0.5, 0.1, 0.9]
