"""Tables and pictures of the analyses, from results written by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosfm.core.errors import EosfmError
from eosfm.core.files import write_json
from eosfm.report.analyses import by_count, by_labels, contributions, spread, write_analyses


@pytest.fixture
def analyses(params):
    """One specialist scores 0.4, five 0.6, all 0.7; the first alone 0.5, without it 0.65."""
    first, *others = params.specialists
    by_task = {}
    for name, task in params.tasks.items():
        metric = "r2" if task.metric == "rmse" else task.metric

        def test(score, metric=metric):
            return {metric: score}

        by_task[name] = {
            "metric": task.metric,
            "counts": {
                "1": {"test": test(0.4), "selected": [first]},
                "5": {"test": test(0.6), "selected": [first, *others[:4]]},
                "all": {"test": test(0.7), "selected": [first, *others]},
            },
            "whole": test(0.7),
            "alone": {first: test(0.5)},
            "without": {first: test(0.65)},
            "labels": {
                share: {"tiles": tiles, "eosfm": test(0.6), "scratch": test(0.3)}
                for share, tiles in (("0.1", 6), ("1", 60))
            },
        }
    return by_task


def test_counts_have_mean_scores_and_the_energy_of_the_chosen(params, analyses):
    energy = dict.fromkeys(params.specialists, 0.002)
    rows = by_count(params, analyses, energy)
    assert [row["specialists"] for row in rows] == ["1", "5", "all"]
    assert [row["score"] for row in rows] == pytest.approx([0.4, 0.6, 0.7])
    assert [row["train_kwh"] for row in rows] == pytest.approx(
        [0.002, 0.010, 0.002 * len(params.specialists)]
    )
    assert rows[0]["score_per_wh"] == pytest.approx(0.4 / 2)


def test_contributions_are_differences_to_the_whole(params, analyses):
    alone = contributions(params, analyses, "alone")
    without = contributions(params, analyses, "without")
    assert alone[0] == pytest.approx(-0.2) and without[0] == pytest.approx(0.05)
    assert np.isnan(alone[1:]).all()  # no figure for a specialist that a task was not fed to


def test_labels_are_listed_by_task(params, analyses):
    rows = by_labels(params, analyses)
    assert len(rows) == 2 * len(params.tasks)
    assert rows[0]["tiles"] == 6 and rows[0]["eosfm"] == 0.6 and rows[0]["scratch"] == 0.3


def test_pictures_and_numbers_are_written(params, analyses, results, tmp_path):
    for name, result in analyses.items():
        write_json(tmp_path / "tasks" / name / "metrics.json", result)
    out = tmp_path / "plots"
    line = write_analyses(params, tmp_path / "tasks", results / "train", out)
    assert "0.700 with all" in line
    names = {path.name for path in out.iterdir()}
    assert names == {
        "counts.csv", "counts.png", "alone.csv", "alone.png", "without.csv", "without.png",
        "choices.png", "labels.csv", "labels.png",
    }  # fmt: skip
    assert all(path.stat().st_size < 200_000 for path in out.iterdir())
    (tmp_path / "tasks" / name / "metrics.json").unlink()
    with pytest.raises(EosfmError, match=r"dvc repro analyses/dvc\.yaml"):
        write_analyses(params, tmp_path / "tasks", results / "train", out)


@given(st.lists(st.floats(0, 1), max_size=13))
def test_names_beside_curves_keep_apart_and_in_order(heights):
    moved = np.array(spread(heights, 0.02))
    order = np.argsort(heights, kind="stable")
    assert (np.diff(moved[order]) > 0.019).all()
    assert len(heights) == 0 or np.isclose(moved.mean(), np.mean(heights))


def test_names_that_are_apart_stay():
    assert spread([0.5, 0.1, 0.9], 0.02) == [0.5, 0.1, 0.9]
