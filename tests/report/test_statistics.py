"""Intervals over scenes and fits, GEO-Bench-2's aggregation, and the sentence of the answer."""

from dataclasses import replace

import numpy as np
import pytest

from eosfm.evaluation.evidence import TaskEvidence
from eosfm.evaluation.result import BaselineResults
from eosfm.report.answer import answer, answer_without_seen
from eosfm.report.bootstrap import RESAMPLES, Interval, interval, resample
from eosfm.report.compare import Lead, _p_value, difference, lead
from eosfm.report.geobench import _aggregate, aggregate

from .conftest import task_result

SCENES = 40


def images(right: np.ndarray) -> np.ndarray:
    """(N, 2, 2) counts of tiles of one image each, right or wrong."""
    counts = np.zeros((len(right), 2, 2), dtype=np.int32)
    counts[np.arange(len(right)), 0, 1 - right.astype(int)] = 1
    return counts


@pytest.fixture
def right():
    return np.random.default_rng(0).random(SCENES) < 0.7


def resampled(models, scenes):
    evidence = TaskEvidence("classification", 255, scenes, models)
    return resample(0, "a", evidence, dict.fromkeys(models, task_result("accuracy", 0.7)))


def test_the_spread_over_scenes_is_that_of_theory(right):
    found = resampled({"eosfm": images(right)[None]}, np.arange(SCENES))["eosfm"]["accuracy"]
    share = right.mean()
    assert found.shape == (RESAMPLES,)
    assert found.std() == pytest.approx((share * (1 - share) / SCENES) ** 0.5, rel=0.1)


def test_tiles_of_a_scene_are_drawn_together(right):
    """Of four tiles each that are alike, four times the tiles tell no more."""
    once = resampled({"eosfm": images(right)[None]}, np.arange(SCENES))["eosfm"]["accuracy"]
    tiles, scenes = images(right).repeat(4, axis=0), np.arange(SCENES).repeat(4)
    again = resampled({"eosfm": tiles[None]}, scenes)["eosfm"]["accuracy"]
    np.testing.assert_allclose(once, again)


def test_fits_are_drawn_as_well_as_scenes():
    """Two fits, one always right and one never: the mean of two draws is 0, 1/2 or 1."""
    fits = np.stack([images(np.ones(SCENES)), images(np.zeros(SCENES))])
    found = resampled({"eosfm": fits}, np.arange(SCENES))["eosfm"]["accuracy"]
    values, counts = np.unique(found, return_counts=True)
    assert values.tolist() == [0, 0.5, 1]
    assert counts / RESAMPLES == pytest.approx([0.25, 0.5, 0.25], abs=0.05)


def test_models_see_the_same_scenes(right):
    both = {"eosfm": images(right)[None], "random": images(right)[None]}
    found = resampled(both, np.arange(SCENES))
    np.testing.assert_array_equal(found["eosfm"]["accuracy"], found["random"]["accuracy"])


def test_resamples_without_a_label_are_drawn_again():
    """Two of twelve scenes have labels: an accuracy of 0, 1/2 or 1, and never none."""
    labelled = np.zeros((12, 2, 2), dtype=np.int32)
    labelled[0, 0, 0] = labelled[1, 0, 1] = 1
    both = {"eosfm": labelled[None], "random": 3 * labelled[None]}
    found = resampled(both, np.arange(12))
    assert set(np.unique(found["eosfm"]["accuracy"])) >= {0, 0.5, 1}
    np.testing.assert_array_equal(found["eosfm"]["accuracy"], found["random"]["accuracy"])


def test_the_blocks_in_which_resamples_are_drawn_change_nothing(right, monkeypatch):
    both = {"eosfm": images(right)[None], "random": images(~right)[None]}
    once = resampled(both, np.arange(SCENES))
    monkeypatch.setattr("eosfm.report.bootstrap.AT_ONCE", 7 * SCENES)
    again = resampled(both, np.arange(SCENES))
    for name in both:
        np.testing.assert_array_equal(once[name]["accuracy"], again[name]["accuracy"])


def test_an_interval_lies_around_what_was_found():
    around = interval(0.5, np.linspace(0.2, 0.4, 1001))
    assert (around.low, around.high) == pytest.approx((0.405, 0.595))
    assert around.apart and not interval(0.05, np.linspace(-1, 1, 1001)).apart


@pytest.mark.parametrize("low", [0.0004, -0.04])
def test_an_interval_that_is_shown_with_an_end_at_0_holds_it(low):
    assert str(Interval(low, 0.05)).startswith(f"{low:z.3f}") and not Interval(low, 0.05).apart
    assert not Interval(-0.05, -low).apart and Interval(0.0006, 0.05).apart


def test_tasks_that_tell_no_models_apart_have_no_aggregate(collected):
    task = next(iter(collected.evaluate))
    same = collected.evaluate[task]
    models = dict.fromkeys(vars(collected.baseline[task]), same)
    alike = replace(collected, evaluate={task: same}, baseline={task: BaselineResults(**models)})
    assert {(one.value, one.error) for one in aggregate(alike).values()} == {(0.0, None)}


def test_a_task_of_one_fit_weighs_as_much_as_one_of_several(collected):
    """Heads in closed form have one fit, whatever the seeds of the others."""
    few, many, *_ = collected.evaluate

    def scored(result, value, fits):
        fit = result.fits[0]
        test = fit.test | {result.score_metric: value}
        return replace(result, fits=(replace(fit, test=test),) * fits)

    def value(fits):
        scores = {"random": 0.0, "start": 1.0, "single": 0.5, "scratch": 0.5, "statistics": 0.5}
        baseline = {
            task: BaselineResults(
                **{name: scored(collected.of(name)[task], one, 1) for name, one in scores.items()}
            )
            for task in (few, many)
        }
        own = {
            few: scored(collected.evaluate[few], 0.8, 1),
            many: scored(collected.evaluate[many], 0.2, fits),
        }
        return aggregate(replace(collected, evaluate=own, baseline=baseline))["eosfm"].value

    assert value(1) == pytest.approx(0.5) and value(5) == pytest.approx(0.5)


def test_the_aggregation_of_geo_bench_2(collected):
    """One fit a model and task leaves nothing to draw: the interquartile mean, by hand."""
    task = next(iter(collected.evaluate))
    alone = replace(collected, evaluate={task: collected.evaluate[task]})
    alone = replace(alone, baseline={task: collected.baseline[task]})
    values = aggregate(alone)
    best, least = collected.evaluate[task].score, collected.of("random")[task].score
    for name, value in values.items():
        expected = (alone.of(name)[task].score - least) / (best - least)
        assert value.value == pytest.approx(expected)
        assert value.error is None or value.error < 1e-12  # of one fit, or of some that are alike


def test_the_error_of_the_aggregation_is_the_spread_of_its_resamples(monkeypatch):
    tasks = ((0.1, 0.4, 0.9), (0.2, 0.8, 0.3))

    def found(*seeds):
        monkeypatch.setattr("eosfm.report.geobench.SEEDS", seeds)
        _aggregate.cache_clear()
        return _aggregate(tasks, 3)

    both, (one, other) = found(0, 1), (found(seed).value for seed in (0, 1))
    assert one != other
    assert both.value == pytest.approx((one + other) / 2)
    assert both.error == pytest.approx(abs(one - other) / 2**0.5)


def test_the_p_value_is_the_share_of_signs_that_are_as_far_apart():
    ours = (0.5, 0.6, 0.7, 0.4)
    # Of 16 signs of 0.1, 0.2, 0.3 and -0.05, two give as large a sum, and two as small a one.
    assert _p_value(ours, (0.4, 0.4, 0.4, 0.45)) == pytest.approx(4 / 16)
    assert _p_value(ours[:1], (0.4,)) == 1


def test_a_difference_is_what_the_ensemble_scores_more(collected):
    task = next(iter(collected.evaluate))
    found, around = difference(collected, "random", task)
    ours, theirs = (collected.of(name)[task].score for name in ("eosfm", "random"))
    assert found == pytest.approx(ours - theirs) and found != 0
    assert around.low <= found <= around.high


@pytest.mark.parametrize(
    ("tasks", "p", "words"), [(5, 0.0625, "too few tasks to tell from"), (6, 0.031, "ahead of")]
)
def test_of_few_tasks_no_test_can_tell(tasks, p, words):
    assert Lead(0.3, 0.3, tasks, 0, tasks, p, interval(0.3, np.zeros(3))).verdict == words


def test_the_answer_says_what_the_test_found(collected, monkeypatch):
    around = interval(0.0, np.zeros(3))
    found = {
        "random": Lead(0.1, 0.1, 9, 1, 10, 0.001, around),
        "scratch": Lead(0.05, 0.05, 9, 1, 10, 0.0498, around),
        "single": Lead(0.1, 0.1, 9, 1, 10, 0.05, around),
        "start": Lead(-1e-4, 0.0, 5, 5, 10, 1, around),
        "statistics": Lead(-0.1, -0.1, 1, 9, 10, 0.01, around),
    }
    monkeypatch.setattr("eosfm.report.answer.leads", lambda _: found)
    sentence = answer(collected)
    told = sentence[sentence.index("): ") + 3 :]
    assert told == (
        "ahead of random weights (+0.100, p = 0.001) and from scratch (+0.050, p = 0.0498); "
        "level with best single specialist (+0.100, p = 0.05) and start weights (+0.000, p = 1); "
        "behind pixel statistics (-0.100, p = 0.01)."
    )


def test_the_answer_without_tasks_that_specialists_had_seen(params, collected):
    """Ahead on the one task whose dataset a specialist had more labels of, level on the others."""
    known, *others = collected.evaluate
    dataset = params.tasks[known].dataset
    entry = params.specialists["ben_rgb"].model_copy(update={"dataset": dataset})
    params = params.model_copy(update={"specialists": {"ours": entry}})
    random = collected.of("random")
    evaluate = {task: replace(result, selected=()) for task, result in random.items()}
    assert answer_without_seen(params, replace(collected, evaluate=evaluate)) == ""
    evaluate[known] = replace(
        collected.evaluate[known], selected=("ours",), labels=40, train_tiles=160
    )
    told = answer_without_seen(params, replace(collected, evaluate=evaluate))
    assert told.startswith(f"For {known}, some specialists in use were trained on more labels of ")
    assert f"On the other {len(others)}: " in told and "random weights (+0.000, p = 1)" in told
    same = evaluate | {known: replace(evaluate[known], train_tiles=40)}
    assert answer_without_seen(params, replace(collected, evaluate=same)) == ""


def test_the_interquartile_mean_is_that_of_the_middle_half():
    scores = (0.0, 0.1, 0.2, 0.9, 1.0, 0.3, 0.5, 0.95)
    found = _aggregate(tuple((score,) for score in scores), 1)
    assert found.value == pytest.approx(np.mean([0.2, 0.3, 0.5, 0.9])) and found.error is None


def test_a_task_that_is_lost_counts_against(collected):
    names = list(collected.evaluate)
    theirs = collected.of("scratch")
    scores = {name: theirs[name].score + 0.1 for name in names}
    scores[names[0]] = theirs[names[0]].score - 0.3
    ours = {name: replace(collected.evaluate[name], score=scores[name]) for name in names}
    found = lead(replace(collected, evaluate=ours), "scratch")
    assert (found.wins, found.losses, found.tasks) == (len(names) - 1, 1, len(names))
    assert found.mean == pytest.approx((0.1 * (len(names) - 1) - 0.3) / len(names))
    assert found.median == pytest.approx(0.1)
