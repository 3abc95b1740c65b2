"""A task from stored features to scores: seeds, heads, dates, fusion options."""

import statistics
from collections.abc import Callable

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.evaluation.evaluate import evaluate_task
from tests.fixtures.tasks import TASKS

Run = Callable[..., tuple[dict, list]]


@pytest.fixture(scope="module")
def run(stores, features, artifact) -> Run:
    """``run(params, task)``: the result and the log of its epochs."""

    def evaluate(params, name):
        log = []
        result = evaluate_task(
            params, name, stores[name], features[name], artifact,
            lambda metrics, epoch: log.append((epoch, metrics)),
        )  # fmt: skip
        return result, log

    return evaluate


@pytest.fixture(scope="module")
def results(params, run):
    return {name: run(params, name) for name in TASKS}


@pytest.mark.parametrize(
    ("name", "better_than"),
    [("segmentation", 0.8), ("classification", 0.9), ("multilabel", 0.9), ("change", 0.8),
     ("series", 0.8)],
)  # fmt: skip
def test_a_separable_task_is_learnt(results, params, name, better_than):
    result, log = results[name]
    assert result["test"][params.task(name).metric] > better_than
    assert result["labels"] == 16
    assert [epoch for epoch, _ in log] == [1, 2, 3]


def test_regression_beats_the_mean(results):
    assert results["regression"][0]["test"]["r2"] > 0.5


def test_the_best_validation_epoch_is_the_one_reported(results):
    for name, (result, log) in results.items():
        metric, first = result["metric"], result["fits"][0]
        values = [metrics[f"val_{metric}"] for _, metrics in log]
        best = min(values) if metric == "rmse" else max(values)
        assert first["val"][metric] == best, name
        assert first["best_epoch"] == 1 + values.index(best)


def test_every_seed_is_a_fit_and_the_headline_their_mean(results):
    for name, (result, _) in results.items():
        values = [fit["test"][result["metric"]] for fit in result["fits"]]
        assert len(values) == 2
        assert result["test"][result["metric"]] == pytest.approx(statistics.fmean(values)), name
        assert result["spread"][result["metric"]] == pytest.approx(statistics.stdev(values)), name
    assert results["regression"][0]["spread"]["rmse"] > 0


def test_one_seed_has_no_spread_and_is_the_first_of_two(results, edited, run):
    one, _ = run(edited(protocol={"seeds": 1}), "segmentation")
    assert one["fits"] == results["segmentation"][0]["fits"][:1]
    assert set(one["spread"].values()) == {0.0}


def test_scores_of_single_classes_stand_apart(results):
    result, _ = results["segmentation"]
    assert list(result["per_class"]) == ["dark", "bright"]
    assert result["test"]["miou"] == pytest.approx(statistics.fmean(result["per_class"].values()))
    assert not any("/" in key for key in result["test"])
    assert results["regression"][0]["per_class"] == {}


def test_a_second_run_gives_the_same_result(results, params, run):
    assert run(params, "series")[0] == results["series"][0]


def test_fits_side_by_side_are_those_in_turn(params, run):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)  # one for each of the two fits
        together = run(params, "segmentation")[0]
        torch.set_num_threads(1)
        assert run(params, "segmentation")[0] == together
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "fusion",
    [{"max_encoders": 1}, {"max_encoders": 1, "method": "addition"}, {"max_encoders": 9},
     {"max_encoders": 1, "selection": "topk"}, {"max_encoders": 1, "selection": "smooth"},
     {"max_encoders": 1, "method": "concat", "scale_features": True},
     {"normalize": "batch"}, {"method": "concat", "width_multiplier": 0.5}],
)  # fmt: skip
def test_fusion_options_reach_the_fuser(edited, run, fusion):
    result, _ = run(edited(fusion=fusion), "classification")
    limit = fusion.get("max_encoders", 2)
    assert len(result["selected"]) == min(max(limit, 1), 2)
    assert result["test"]["accuracy"] > 0.8


@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_neighbours_need_no_training(edited, run, name):
    result, log = run(edited(**{name: {"head": "knn"}}), name)
    metric = result["metric"]
    assert log == [(0, {f"val_{metric}": result["val"][metric]})]
    assert len(result["fits"]) == 1
    assert result["selected"] == ["colour", "pair"]
    assert result["test"][result["metric"]] > 0.9


def test_a_linear_probe_answers_pixels(edited, run):
    result, _ = run(edited(segmentation={"head": "linear"}), "segmentation")
    assert result["test"]["miou"] > 0.6


@pytest.mark.parametrize(
    ("name", "values", "advice"),
    [("segmentation", {"head": "knn"}, "does not fit segmentation; set it to upernet or linear"),
     ("classification", {"head": "upernet"}, "set it to linear or knn"),
     ("segmentation", {"aggregation": "ltae"}, "does not fit segmentation on 1 date"),
     ("series", {"aggregation": "difference"}, "set it to mean, linear, ltae"),
     ("change", {"aggregation": None}, "set it to concat, difference")],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused_in_one_line(edited, run, name, values, advice):
    with pytest.raises(EosfmError, match=advice) as error:
        run(edited(**{name: values}), name)
    assert "\n" not in str(error.value)


def test_ablating_everything_is_refused(edited, run):
    params = edited(fusion={"ablate": ("colour", "pair")})
    params = params.model_copy(
        update={"specialists": dict.fromkeys(("colour", "pair"), next(iter(
            params.specialists.values())))}
    )  # fmt: skip
    with pytest.raises(EosfmError, match="leaves no specialist"):
        run(params, "classification")


def test_fine_tuning_trains_on_images(edited, run):
    params = edited(
        protocol={"fine_tune": True, "seeds": 1, "epochs": 1, "steps_per_epoch": 2, "lr": 1e-4}
    )
    result, _ = run(params, "change")
    assert set(result["test"]) == {"miou", "accuracy", "f1"}
    assert result["selected"] == ["colour", "pair"]


@pytest.mark.parametrize("selection", ["forward", "topk"])
def test_fine_tuning_selects_first(edited, run, selection):
    params = edited(
        protocol={"fine_tune": True, "seeds": 2, "epochs": 1, "steps_per_epoch": 2, "lr": 1e-4},
        fusion={"max_encoders": 1, "selection": selection},
    )
    result, _ = run(params, "segmentation")
    assert len(result["selected"]) == 1
